"""What the first bytes of a file announce."""

DICOM = "DICOM"
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}


def sniff(data: bytes) -> str | None:
    """The format, or None. A file that is DICOM and something else as well is taken for DICOM."""
    if data[128:132] == b"DICM" or _begins_with_an_element(data):
        return DICOM
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES.items() if data.startswith(signature)), None)


def _begins_with_an_element(data: bytes) -> bool:
    """Of group 2 or 8, as a DICOM without its 128-byte preamble does."""
    little_endian = data[:2] in {b"\x02\0", b"\x08\0"} and data[3:4] == b"\0"
    return little_endian or data[:3] == b"\0\x08\0"
