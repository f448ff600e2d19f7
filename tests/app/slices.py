"""Series of drawn slices as DICOM, and the table of series that `classify` makes of them."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid

from app.imaging import Pixels
from tests.dicoms import dicom, item
from training import phantoms

STUDY, OTHER_STUDY = "1.2.826.7", "1.2.826.8"
AXIAL = [1, 0, 0, 0, 1, 0]
THICKNESS = 2.5  # mm
Key = tuple[str, str]


def drawn(kinds: Iterable[str]) -> list[Pixels]:
    """A phantom of each, none like another."""
    return [phantoms.draw(kind, np.random.default_rng([7, number])) for number, kind in enumerate(kinds)]


def runs(**counts: int) -> list[str]:
    """So many of each kind, one after the other."""
    return [kind for kind, count in counts.items() for _ in range(count)]


def placed(pixels: Pixels, series: str | None, at: float | None = None, **header: Any) -> bytes:
    """A slice of a series, `at` so many slices along an axis."""
    place = {} if at is None else {"ImagePositionPatient": [-90, -90, at * THICKNESS], "ImageOrientationPatient": AXIAL}
    said: dict[str, Any] = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": series, "Modality": "CT"}
    return dicom(pixels, **said | place | header)


def write_series(folder: Path, kinds: Sequence[str], series: str, **header: Any) -> Path:
    """A folder of slices IM1, IM2 and so on, numbered and placed in that order."""
    folder.mkdir(parents=True)
    for number, pixels in enumerate(drawn(kinds), start=1):
        data = placed(pixels, series, number, InstanceNumber=number, SOPInstanceUID=f"{series}.{number}", **header)
        (folder / f"IM{number}").write_bytes(data)
    return folder


def enhanced(kinds: Sequence[str], series: str, at: Iterable[float], **header: Any) -> bytes:
    """One file with a frame of each kind, each `at` its place."""
    frames = [item(PlanePositionSequence=[item(ImagePositionPatient=[-90, -90, along * THICKNESS])]) for along in at]
    groups = {
        "SOPClassUID": uid.EnhancedCTImageStorage,
        "SharedFunctionalGroupsSequence": [item(PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)])],
        "PerFrameFunctionalGroupsSequence": frames,
    }
    return placed(np.stack(drawn(kinds)), series, **groups | header)


def hashed(text: str) -> str:
    """What tables say of a UID."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def series_rows(table: Path) -> dict[Key, dict[str, str]]:
    """Rows of a table of series as CSV, by study and series; none is there twice."""
    with table.open(newline="") as file:
        found = list(csv.DictReader(file))
    named = {(row["study"], row["series"]): row for row in found}
    assert len(named) == len(found)
    return named


def own(table: Path, series: str, study: str = STUDY) -> dict[str, str]:
    """The row of one series."""
    return series_rows(table)[hashed(study), hashed(series)]
