"""What a codestream tells of itself: how it is coded, how deep it is and where it ends."""

import re

from pydicom import uid

from app.imaging import jpeg_header
from app.imaging.dicom import jpeg2000

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"  # of JPEG-LS, too
JP2_START = b"\0\0\0\x0cjP  "
FRAME_MARKER = re.compile(rb"\xff([\xc0-\xc3\xf7])")
SYNTAXES = {b"\xc3": uid.JPEGLossless, b"\xf7": uid.JPEGLSNearLossless}  # by the marker of a frame; others are lossy
DEFLATED_FRAMES = uid.UID("1.2.840.10008.1.2.8.1")  # Deflated Image Frame Compression, too young for pydicom


def is_coded(syntax: uid.UID) -> bool:
    """Whether pixels of this transfer syntax lie in items."""
    return syntax == DEFLATED_FRAMES or syntax.is_encapsulated


def begins(data: bytes | memoryview) -> bool:
    """Whether it begins here; run lengths and deflated frames have nothing to tell by."""
    return bytes(data[:8]).startswith((JPEG_START, jpeg2000.CODESTREAM_START, JP2_START))


def syntax(data: bytes) -> uid.UID:
    """A transfer syntax that it fits. Raises ValueError where nothing tells."""
    if not begins(data):
        raise ValueError("nothing tells how it is coded")
    if not data.startswith(JPEG_START):
        return uid.JPEG2000
    marker = FRAME_MARKER.search(data)
    return SYNTAXES.get(marker[1] if marker else b"", uid.JPEGExtended12Bit)


def depth(data: bytes) -> int | None:
    """Bits of a sample; None where only a header knows. Raises ValueError or struct.error."""
    if data.startswith(JPEG_START):
        return jpeg_header.read_header(data).depth
    return jpeg2000.read_depth(data) if begins(data) else None


def whole_jpeg(data: bytes) -> bytes:
    """A JPEG up to its end marker: an odd one is padded, by some with whatever lay in memory.

    Within a scan no such bytes stand. Raises ValueError where it has no end: decoders fill up or search for it.
    """
    end = data.rfind(JPEG_END)
    if end < 0:
        raise ValueError("the frame is cut short")
    return data[: end + len(JPEG_END)]
