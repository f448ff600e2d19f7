"""Does what a DICOM header says about the body part agree with what the model sees?"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from app.imaging import Header
from app.model.manifest import Terms

# Parts a header can name beside the classes, from the terms of PS3.16 annex L and CID 4031.
BODY_PARTS = """
ABDOMEN ANKLE ANUS ARM BLADDER BREAST BRONCHUS CALCANEUS CHEST CLAVICLE COCCYX COLON CSPINE DUODENUM EAR ELBOW ESOPHAGUS
EXTREMITY EYE FACE FACIAL FEMUR FIBULA FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEART HIP HUMERUS ILEUM ILIUM JAW
JEJUNUM KNEE LARYNX LEG LIMB LIVER LSPINE LUMBAR MANDIBLE MASTOID MAXILLA MEDIASTINUM NECK NOSE ORBIT PANCREAS PATELLA
PELVIS PROSTATE RECTUM RIB SACRUM SCAPULA SHOULDER SINUS SKULL SPINE SSPINE STERNUM STOMACH THIGH THUMB TIBIA TOE TOES
TRACHEA TSPINE URETER URETHRA UTERUS WRIST ZYGOMA
"""
KNOWN_PARTS = frozenset(BODY_PARTS.split())
KNOWN_MODALITIES = frozenset(
    ["CR", "CT", "DX", "MG", "MR", "NM", "PT", "RG", "US"]
)  # others may stand for a picture of any kind


def agrees(terms: Mapping[str, Terms], label: str | None, header: Header) -> bool | None:
    """Whether header and label name the same region, and the modality is one of that class.

    None where either names no region, or the header none that is understood. `terms` says for each class which words,
    codes and modalities go with it.
    """
    region = region_agrees(terms, label, header.said)
    if not region or label is None:
        return region
    return header.modality in terms[label].modality or not (header.modality and terms[label].modality)


def region_agrees(terms: Mapping[str, Terms], label: str | None, said: Iterable[str]) -> bool | None:
    """The same for the region alone, by what the header says of the body part.

    Words are looked for anywhere in it, whatever the case, accents and punctuation, because people write "CHEST/ABD. p.v.".
    """
    plain = [_plain(text) for text in said]
    if label is None or label not in terms or not plain:
        return None
    if _names(terms[label], plain):
        return True
    known = any(_names(other, plain) for other in terms.values()) or KNOWN_PARTS.intersection(" ".join(plain).split())
    return False if known else None


def is_possible(terms: Mapping[str, Terms], label: str, modality: str | None) -> bool:
    """Whether a picture of this modality can be of that class: an MR is no CT, however much a head looks like one."""
    own = terms[label].modality if label in terms else []
    return not own or modality in own or modality not in KNOWN_MODALITIES


def _names(terms: Terms, said: Iterable[str]) -> bool:
    return any(f" {_plain(term)} " in f" {text} " for term in terms.body_part for text in said)


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    ascii = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[A-Z0-9]+", ascii.upper()))
