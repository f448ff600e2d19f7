"""JPEG 2000: what its codestream promises, and whether all tiles are there; the decoder leaves black what is missing."""

from struct import unpack_from

CODESTREAM_START = b"\xff\x4f\xff\x51"  # how a codestream begins
CODING_STYLE, START_OF_TILE, END_OF_CODESTREAM = 0xFF52, 0xFF90, 0xFFD9  # markers


def read_size(data: bytes) -> tuple[int, int]:
    """Rows and columns. Raises ValueError or struct.error."""
    width, height, left, top = unpack_from(">4I", data, _codestream(data) + 8)
    return height - top, width - left


def read_depth(data: bytes) -> int:
    """Bits of a sample. Raises ValueError or struct.error."""
    return int((data[_codestream(data) + 40] & 0x7F) + 1)


def check(data: bytes) -> bool:
    """Whether its colours were transformed. Raises ValueError or struct.error where tiles are missing."""
    at = _codestream(data)
    width, height, _, _, across, down, left, top = unpack_from(">8I", data, at + 8)
    at, tiles, transformed = at + 2, set(), False
    while at + 12 <= len(data) and (marker := unpack_from(">H", data, at)[0]) != END_OF_CODESTREAM:
        length = unpack_from(">H", data, at + 2)[0] + 2
        if marker == CODING_STYLE:
            transformed = data[at + 8] == 1
        if marker == START_OF_TILE:
            tile, length = unpack_from(">HI", data, at + 4)
            tiles.add(tile)
        at += length or len(data)  # the last one need not say how long it is
    if len(tiles) < -((left - width) // across) * -((top - height) // down):
        raise ValueError("tiles are missing")
    return transformed


def _codestream(data: bytes) -> int:
    """Where it begins: at once, as DICOM wants it, or in a box of a JP2 file."""
    at = 0
    while data[at : at + 4] != CODESTREAM_START:
        length, kind = unpack_from(">I4s", data, at)
        if kind != b"jp2c" and length < 8:
            raise ValueError("a box shorter than its own header")
        at += 8 if kind == b"jp2c" else length
    return at
