"""Every hostile file, drawn by code, the same each time; some sound ones are among them, for refusing all is no answer."""

from collections.abc import Iterator

from tests.hostile import (
    bmps_and_webps,
    bombs,
    containers,
    dicom_frames as frames,
    dicom_headers as headers,
    dicom_structure as structure,
    jpegs,
    pngs,
    strangers,
    tiffs,
)
from tests.hostile.case import Case

GROUPS = (
    *(containers.sound, strangers.other_kinds, strangers.polyglots),
    *(pngs.damaged, pngs.structures, pngs.headers, pngs.notes),
    *(jpegs.damaged, jpegs.segments, jpegs.claims, jpegs.without_end, jpegs.notes),
    *(tiffs.damaged, tiffs.directories, tiffs.lies, tiffs.claims, tiffs.values),
    *(bmps_and_webps.bmps, bmps_and_webps.run_lengths, bmps_and_webps.webps),
    *(headers.sides, headers.counts, headers.kinds, headers.tables, headers.values),
    *(structure.cut, structure.packed, structure.places, structure.depths, structure.crowds, structure.syntaxes),
    *(frames.damaged, frames.run_lengths, frames.codecs, frames.fragments),
    *(bombs.compressed_pixels, bombs.compressed_notes, bombs.archives, bombs.within_the_limit),
)


def cases() -> Iterator[Case]:
    for group in GROUPS:
        yield from group()
