"""What rows say of the series that files belong to: written from the header of a DICOM, and read again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from posixpath import dirname
from typing import NamedTuple

from app.imaging import Header, Instance, Kind, Place
from app.model.series import Slice, parallel
from app.scoring.columns import NOT_SAMPLED, Row, Value

HASH_DIGITS = 12
OF_SERIES = {Kind.PICTURE, Kind.UNREADABLE, NOT_SAMPLED}
NO_SCORE = -1.0  # of a bundle that gives none

Key = tuple[str, str]  # study and series; nothing and the folder
Answer = Sequence[float]  # ood_score or NO_SCORE, and the probabilities


class Part(NamedTuple):
    """A slice of a series, and the model's answer where it was judged."""

    slice: Slice
    answer: Answer | None


def described(header: Header) -> Row:
    """Columns that a header fills before its pixels are looked at."""
    said: Row = {"header_modality": header.modality, "header_body_part": header.body_part}
    return said | {"rows": header.rows, "columns": header.columns, "frames": header.frames}


def identified(instance: Instance, answers: Mapping[int, Answer] | None = None) -> Row:
    """Columns that tell a file's series and its place there; of an enhanced one also all frames, with `answers` by frame."""
    places = instance.places
    middle = places[len(places) // 2] if parallel(places) else None
    row: Row = {
        "study": _hashed(instance.study),
        "series": _hashed(instance.series),
        "slice_number": instance.number,
        "slice_position": round(middle.along, 3) if middle else None,
        "slice_normal": " ".join(f"{each:.4f}" for each in middle.normal) if middle else None,
        "study_instance_uid": instance.study or None,
        "series_instance_uid": instance.series or None,
        "sop_instance_uid": instance.uid or None,
    }
    if answers is not None and len(places) > 1:
        frames = [
            [frame, place and round(place.along, 3), *answers.get(frame, ())] for frame, place in enumerate(places)
        ]
        row["frame_answers"] = json.dumps(frames, separators=(",", ":"))
    return row


def key(row: Row, by_folder: bool) -> Key | None:
    """Which series a row's file belongs to; None for none."""
    if row["kind"] not in OF_SERIES:
        return None
    if row.get("series"):
        return str(row.get("study") or ""), str(row["series"])
    was_read = row["kind"] != Kind.UNREADABLE or row["sha256"]  # else it may be a folder or an archive
    return ("", dirname(str(row["path"]))) if by_folder and was_read else None


def parts(row: Row, classes: Sequence[str]) -> list[Part]:
    """Slices in the row's file."""
    number, normal = row.get("slice_number"), row.get("slice_normal")
    of_file = Slice(
        str(row["path"]), None if number is None else int(number), 0, _place(normal, row.get("slice_position"))
    )
    if frames := row.get("frame_answers"):
        return [
            Part(of_file._replace(frame=frame, place=_place(normal, along)), answer or None)
            for frame, along, *answer in json.loads(str(frames))
        ]
    if row["kind"] != Kind.PICTURE:
        return [Part(of_file, None)]
    score = row["ood_score"]
    return [
        Part(
            of_file, [NO_SCORE if score is None else float(score), *(float(row[f"p_{each}"] or 0) for each in classes)]
        )
    ]


def _place(normal: Value, along: Value) -> Place | None:
    return Place(_normal(str(normal)), float(along)) if normal and along is not None else None


@lru_cache(maxsize=1024)
def _normal(text: str) -> tuple[float, float, float]:
    x, y, z = map(float, text.split())
    return x, y, z


def _hashed(uid: str) -> str | None:
    return hashlib.sha256(uid.encode()).hexdigest()[:HASH_DIGITS] if uid else None
