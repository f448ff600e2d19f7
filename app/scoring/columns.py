"""The columns of the table: each one's name, type and meaning, once."""

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


PER_CLASS = "p_<class>"  # stands for a column of each class
COLUMNS = (
    Column("path", str, "the file; for a member of an archive, its path below that of the archive"),
    Column("sha256", str, "checksum of the file's content: the same for two copies of a file"),
    Column(
        "kind",
        str,
        "picture: it was judged; not a picture: another kind of file; no pixels: a DICOM without a picture, such as "
        "a report or a plan; unreadable: it should have been judged or opened and could not be",
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
    Column("rows", int, "height in pixels, as the file's header says"),
    Column("columns", int, "width in pixels, as the file's header says"),
    Column("frames", int, "pictures in the file; the middle one was judged"),
    Column("error", str, "why the file was not judged"),
    Column("model", str, "name and version of the bundle that was used"),
)


def columns(manifest: Manifest) -> dict[str, type]:
    """Name and type of each column, those of the classes among them."""
    found: dict[str, type] = {}
    for name, kind, _ in COLUMNS:
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
