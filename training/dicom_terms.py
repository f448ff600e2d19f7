"""What DICOM headers say about pictures of each class, for the service to compare with what the model sees."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.model.manifest import Terms
from training import DataError

HEAD = "HEAD BRAIN SKULL CRANIUM NEURO HEADNECK CEREBRUM SCHAEDEL SCHADEL KOPF HIRN TETE CRANE CEREBRO CRANEO CABEZA"
CHEST = (
    "CHEST THORAX THORACIC LUNG LUNGS HEART MEDIASTINUM RIB RIBS CHESTABDOMEN CHESTABDPELVIS NECKCHEST TORAX POITRINE"
)
ABDOMEN = "ABDOMEN ABD ABDO ABDOMENPELVIS CHESTABDOMEN CHESTABDPELVIS LIVER KIDNEY KIDNEYS PANCREAS SPLEEN BAUCH VENTRE"
BREAST = "BREAST BREASTS MAMMA MAMMAE MAMMARY BRUST SEIN SEINS MAMA"
HAND = "HAND HANDS FINGER FINGERS THUMB WRIST EXTREMITY UPEXM MAIN MANO"
X_RAY = ["CR", "DX", "RG"]

# Words that stand in BodyPartExamined (its terms, PS3.16 annex L, and what people write there in four languages), then
# the codes of PS3.16 CID 4031 (SNOMED CT, and SRT as older files have it).
TERMS = {
    "AbdomenCT": Terms(body_part=[*ABDOMEN.split(), "818981001", "818983003", "113345001", "T-D4000"], modality=["CT"]),
    "BreastMRI": Terms(body_part=[*BREAST.split(), "76752008", "T-04000"], modality=["MR"]),
    "CXR": Terms(body_part=[*CHEST.split(), "51185008", "816094009", "T-D3000"], modality=X_RAY),
    "ChestCT": Terms(body_part=[*CHEST.split(), "51185008", "816094009", "T-D3000"], modality=["CT"]),
    "Hand": Terms(body_part=[*HAND.split(), "85562004", "T-D8700"], modality=X_RAY),
    "HeadCT": Terms(body_part=[*HEAD.split(), "69536005", "T-D1100"], modality=["CT"]),
}


def read(path: Path | None, classes: list[str]) -> dict[str, Terms]:
    """The terms of `classes`: of a file, {class: {"body_part": […], "modality": […]}}, or known. Raises DataError."""
    known = TERMS
    if path is not None:
        try:
            known = TypeAdapter(dict[str, Terms]).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(f"{path} does not hold DICOM terms for each class.") from error
    if path is not None and (unknown := sorted(known.keys() - set(classes))):
        raise DataError(f"{path} has terms for {unknown[0]}, which is no class.")
    return {name: known[name] for name in classes if name in known}
