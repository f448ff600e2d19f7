"""Every hostile file, drawn by code, the same each time; some sound ones are among them, for refusing all is no answer."""

from collections.abc import Iterator

from tests.hostile import (
    bmps_and_webps,
    bombs,
    containers,
    dicom_frames,
    dicom_headers,
    dicom_structure,
    jpegs,
    pngs,
    strangers,
    tiffs,
)
from tests.hostile.case import Case

PARTS = (
    *(containers, strangers, pngs, jpegs, tiffs, bmps_and_webps),
    *(dicom_headers, dicom_structure, dicom_frames, bombs),
)


def cases() -> Iterator[Case]:
    for part in PARTS:
        yield from part.cases()
