"""The columns of the table: each one's name, type and meaning, once."""

from collections.abc import Iterable
from typing import NamedTuple

from app.imaging import Kind
from app.model.bundle import Bundle
from app.model.manifest import Manifest
from app.scoring.files import File

Value = str | float | int | bool | None
Row = dict[str, Value]


class Column(NamedTuple):
    """What stands in a column of the table, where it is not empty."""

    name: str
    type: type
    meaning: str


SUGGESTED = "a defined term for BodyPartExamined, with its code, scheme and meaning"
NOT_SAMPLED = "not sampled"  # the kind of a file that --slices passed over
PER_CLASS = "p_<class>"  # stands for a column of each class
COLUMNS = (
    Column(
        "path",
        str,
        "the file; for a member of an archive, its path below that of the archive, and #2 for a second of one name",
    ),
    Column("sha256", str, "checksum of the file's content: the same for two copies of a file"),
    Column(
        "kind",
        str,
        "picture: it was judged; not a picture: another kind of file; no pixels: a DICOM without a picture, such as "
        "a report or a plan; unreadable: it should have been judged or opened and could not be; not sampled: another "
        "slice of its series was judged, by --slices",
    ),
    Column("label", str, "the class; empty where the picture was not accepted"),
    Column("confidence", float, "probability of the most probable class, 0 to 1, also where label is empty"),
    Column("accepted", bool, "whether ood_score is within the model's limit; empty where the model has no such score"),
    Column("ood_score", float, "how unlike the pictures that the model was trained on, 0 to 1"),
    Column(PER_CLASS, float, "probability of each class; together they are 1"),
    Column("header_modality", str, "modality by the DICOM header"),
    Column("header_body_part", str, "body part by the DICOM header"),
    Column(
        "header_agrees",
        bool,
        "whether body part and modality in the header fit the label; empty where it names no known body part",
    ),
    Column("suggested", str, f"what the header should say: {SUGGESTED}"),
    Column("study", str, "the same for all files of a DICOM study: 12 hex digits of the sha256 of its UID"),
    Column("series", str, "the same for all files of a DICOM series"),
    Column("slice_number", int, "InstanceNumber by the DICOM header"),
    Column("slice_position", float, "where the slice lies along its normal, in mm, by the DICOM header"),
    Column("slice_normal", str, "direction of that: x, y and z in the patient"),
    Column("rows", int, "height in pixels, as the file's header says"),
    Column("columns", int, "width in pixels, as the file's header says"),
    Column("frames", int, "pictures in the file; the middle one was judged"),
    Column(
        "frame_answers",
        str,
        "with --series, of an enhanced DICOM: frame, position and, where it was judged, ood_score and probabilities of "
        "each of its frames, as JSON",
    ),
    Column("error", str, "why the file was not judged"),
    Column("model", str, "name and version of the bundle that was used"),
)


UID_COLUMNS = (
    Column("study_instance_uid", str, "with --uids: the study's UID itself"),
    Column("series_instance_uid", str, "with --uids: the series' UID itself"),
    Column("sop_instance_uid", str, "with --uids: the UID of the DICOM object"),
)
SERIES_COLUMNS = (
    Column("study", str, "as in the table of files"),
    Column("series", str, "as in the table of files; with --series-by folder the folder, for files without a series"),
    Column("header_modality", str, "modality by most of its DICOM headers"),
    Column("files", int, "how many there are"),
    Column("judged", int, "how many slices were judged; frames of an enhanced DICOM are slices"),
    Column(
        "label",
        str,
        "the class; mixed where several regions are shown; empty where it shows none of the classes, or one of another "
        "modality than the header's",
    ),
    Column("share", float, "of the judged slices that say so by themselves, 0 to 1"),
    Column(PER_CLASS, float, "mean probability of each class over the judged slices"),
    Column("ranges", str, "regions from the first slice to the last, along their normal, else by number, else by name"),
    Column("header_body_part", str, "body part by most of its DICOM headers"),
    Column("header_agrees", bool, "whether the headers fit; empty where they name no known body part"),
    Column("suggested", str, f"what the headers should say: {SUGGESTED}"),
    Column("errors", int, "files of it that could not be judged"),
)


def columns(manifest: Manifest, described: Iterable[Column] = COLUMNS) -> dict[str, type]:
    """Name and type of each column, those of the classes among them."""
    found: dict[str, type] = {}
    for name, kind, _ in described:
        found |= {f"p_{each}": kind for each in manifest.classes} if name == PER_CLASS else {name: kind}
    return found


def failed_row(
    file: File, bundle: Bundle, sentence: str, sha256: str | None = None, kind: Kind = Kind.UNREADABLE
) -> Row:
    """The row of a file that could not be judged."""
    row: Row = dict.fromkeys(columns(bundle.manifest))
    return row | {
        "path": file.name,
        "sha256": sha256,
        "kind": kind.value,
        "error": sentence,
        "model": bundle.title,
    }
