"""What BodyPartExamined should say of a class, as DICOM has it."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from app.model.manifest import Terms


class BodyPart(BaseModel):
    """A body part as a DICOM header should name it, by PS3.16 Annex L."""

    model_config = ConfigDict(frozen=True)

    term: str = Field(description="Defined term for BodyPartExamined.")
    code: str = Field(description="For AnatomicRegionSequence: CodeValue, a concept of SNOMED CT.")
    scheme: str = Field(description="Beside it: CodingSchemeDesignator, SCT for SNOMED CT.")
    meaning: str = Field(description="Beside it: CodeMeaning.")

    def __str__(self) -> str:
        return f"{self.term} ({self.code}, {self.scheme}, {self.meaning})"


# Terms, codes and meanings of PS3.16 table L-1 for the regions of CID 4031, and organs that bundles may name.
TABLE = """
ABDOMEN 818981001 Abdomen
ABDOMENPELVIS 818982008 Abdomen and Pelvis
ACJOINT 85856004 Acromioclavicular joint
ANKLE 70258002 Ankle joint
ARM 40983000 Upper arm
BILEDUCT 28273000 Bile duct
BLADDER 89837001 Bladder
BRAIN 12738006 Brain
BREAST 76752008 Breast
BRONCHUS 955009 Bronchus
CALCANEUS 80144004 Calcaneus
CHEST 816094009 Chest
CHESTABDOMEN 416550000 Chest and Abdomen
CHESTABDPELVIS 416775004 Chest, Abdomen and Pelvis
CLAVICLE 51299004 Clavicle
COCCYX 64688005 Coccyx
COLON 71854001 Colon
CSPINE 122494005 Cervical spine
CTSPINE 1217257000 Cervico-thoracic spine
DUODENUM 38848004 Duodenum
ELBOW 16953009 Elbow joint
ESOPHAGUS 32849002 Esophagus
EXTREMITY 66019005 Extremity
EYE 81745001 Eye
FEMUR 71341001 Femur
FIBULA 87342007 Fibula
FINGER 7569003 Finger
FOOT 56459004 Foot
FOREARM 14975008 Forearm
GALLBLADDER 28231008 Gallbladder
HAND 85562004 Hand
HEAD 69536005 Head
HEADNECK 774007 Head and Neck
HEART 80891009 Heart
HIP 24136001 Hip joint
HUMERUS 85050009 Humerus
ILEUM 34516001 Ileum
ILIUM 22356005 Ilium
JAW 661005 Jaw region
JEJUNUM 21306003 Jejunum
KIDNEY 64033007 Kidney
KNEE 72696002 Knee
LARYNX 4596009 Larynx
LEG 30021000 Lower leg
LIVER 10200004 Liver
LSPINE 122496007 Lumbar spine
LSSPINE 1217253001 Lumbo-sacral spine
LUNG 39607008 Lung
MASTOID 59066005 Mastoid bone
MAXILLA 70925003 Maxilla
MEDIASTINUM 72410000 Mediastinum
NECK 45048000 Neck
NECKCHEST 417437006 Neck and Chest
NECKCHESTABDOMEN 416152001 Neck, Chest and Abdomen
NECKCHESTABDPELV 416319003 Neck, Chest, Abdomen and Pelvis
ORBIT 363654007 Orbital structure
PANCREAS 15776009 Pancreas
PAROTID 45289007 Parotid gland
PATELLA 64234005 Patella
PELVIS 816092008 Pelvis
PROSTATE 41216001 Prostate
RECTUM 34402009 Rectum
RIB 113197003 Rib
SCAPULA 79601000 Scapula
SHOULDER 16982005 Shoulder
SIJOINT 39723000 Sacroiliac joint
SKULL 89546000 Skull
SPINE 421060004 Spine
SPLEEN 78961009 Spleen
SSPINE 54735007 Sacrum
STERNUM 56873002 Sternum
STOMACH 69695003 Stomach
THIGH 68367000 Thigh
THUMB 76505004 Thumb
TLSPINE 1217256009 Thoraco-lumbar spine
TMJ 53620006 Temporomandibular joint
TOE 29707007 Toe
TRACHEA 44567001 Trachea
TSPINE 122495006 Thoracic spine
URETER 87953007 Ureter
URETHRA 13648007 Urethra
WHOLEBODY 38266002 Entire body
WRIST 74670003 Wrist joint
ZYGOMA 13881006 Zygoma
"""
BODY_PARTS = {
    term: BodyPart(term=term, code=code, scheme="SCT", meaning=meaning)
    for term, code, meaning in (line.split(" ", 2) for line in TABLE.strip().split("\n"))
}


def suggested(terms: Mapping[str, Terms], labels: Iterable[str]) -> BodyPart | None:
    """The body part that a header should name where these classes are shown: the first that the terms of all have.

    None where there is none, or where a label is no class with terms.
    """
    first, *others = [terms[label].body_part if label in terms else [] for label in labels] or [[]]
    return next(
        (BODY_PARTS[term] for term in first if term in BODY_PARTS and all(term in other for other in others)), None
    )
