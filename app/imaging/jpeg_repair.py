"""What writers and transfers of JPEGs leave wrong outside the pixels, set right: what is certain, and no more."""

import re
from struct import unpack_from

from app.imaging.jpeg_header import END_OF_IMAGE, HUFFMAN, START_OF_SCAN, Jpeg, read_header

# What libjpeg says of the first it stumbles over.
NO_END, STRAYS = "Premature end of JPEG file", "extraneous bytes before marker"
STRAYS_AT_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
FILL_BYTES, FILL_VALUES = 4, 4  # at least so many bytes for each value among them, and at most so many values; or zeros
END = bytes([0xFF, END_OF_IMAGE])
FEW_STRAYS = 16  # bytes of any value
COEFFICIENTS = 64  # of a block


def mended(data: bytes, complaint: str) -> bytes:
    """The file with what is wrong outside its pixels set right, as far as one complaint of libjpeg's goes.

    A transfer that was cut, or a camera switched off, may cost the end marker alone; scanners fill up before it, and others
    between segments. Whether all pixels are there, libjpeg then says again. Raises ValueError where nothing is to be mended.
    """
    header = read_header(data)
    if complaint == NO_END and END_OF_IMAGE not in header.segments and _has_all_bits(data, header):
        return data + END
    if header.process in HUFFMAN and (strays := STRAYS_AT_END.search(complaint)):
        return _without_fill_at_end(data[: header.segments[END_OF_IMAGE][0] - 2], int(strays[1]))
    if STRAYS in complaint:
        return _without_fill_between(data, header)
    raise ValueError(complaint)


def _has_all_bits(data: bytes, header: Jpeg) -> bool:
    """Whether the scans begun bring every coefficient of every colour down to its last bit."""
    missing: dict[tuple[int, int], int] = {}
    for at in header.segments[START_OF_SCAN]:
        spectrum = at + 3 + 2 * data[at + 2]
        for color in data[at + 3 : spectrum : 2]:
            band = range(data[spectrum], data[spectrum + 1] + 1)
            missing |= {(color, index): data[spectrum + 2] & 15 for index in band}
    return header.process in HUFFMAN and len(missing) == header.colors * COEFFICIENTS and not any(missing.values())


def _without_fill_at_end(scans: bytes, strays: int) -> bytes:
    """More than a few other bytes than fill may be pixels, of a picture larger than its header says or changed on its way."""
    fill = scans[-max(FILL_BYTES, strays) :]  # libjpeg counts a few too few, for it has read ahead
    if not _is_fill(fill) and strays > FEW_STRAYS:
        raise ValueError("more than the pixels")
    coded = scans.rstrip(bytes(set(fill))) if _is_fill(fill) else scans[:-strays]
    return coded + b"\0" * coded.endswith(b"\xff") + END  # in coded pixels 0 follows each 0xFF


def _without_fill_between(data: bytes, header: Jpeg) -> bytes:
    scan = header.segments[START_OF_SCAN][0]
    begins = sorted(at for places in header.segments.values() for at in places if at <= scan)
    ends = [2, *(at + unpack_from(">H", data, at)[0] for at in begins)]
    if not all(_is_fill(data[end : at - 2]) for end, at in zip(ends, begins, strict=False)):
        raise ValueError("something between segments")
    kept = (data[at - 2 : end] for at, end in zip(begins, ends[1:], strict=True))
    return b"".join([data[:2], *kept, data[ends[-1] :]])


def _is_fill(stray: bytes) -> bool:
    return not any(stray) or len(set(stray)) <= min(len(stray) // FILL_BYTES, FILL_VALUES)
