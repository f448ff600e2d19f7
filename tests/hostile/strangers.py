"""Files of another kind, and files of two kinds at once."""

from collections.abc import Iterator

from PIL import Image

from tests.hostile.case import HAND, Case, encoded, zipped
from tests.hostile.elements import file
from tests.hostile.jpegs import BASELINE
from tests.hostile.pngs import PLAIN

COLORS = Image.fromarray(HAND).convert("RGB")
PILLOW = ("GIF", "PPM", "ICO", "TGA", "JPEG2000", "AVIF", "ICNS", "EPS", "PCX", "SGI", "DDS", "XBM", "QOI")
TEXTS = {
    "text": b"hello, this is text",
    "a space": b" ",
    "text in UTF-16": "\ufeffhello".encode("utf-16"),
    "HTML": b"<!DOCTYPE html><script>alert(1)</script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "XML of entities": b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    "JSON": b'{"file": "hand.png"}',
    "Python's pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
    "a shell script": b"#!/bin/sh\nexit 1\n",
}
MAGIC = {
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(200),
    "Windows program": b"MZ" + bytes(500),
    "Mach-O": b"\xcf\xfa\xed\xfe" + bytes(200),
    "gzip": b"\x1f\x8b\x08" + bytes(50),
    "RAR": b"Rar!\x1a\x07\x01\0" + bytes(50),
    "7-Zip": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    "tar": bytes(257) + b"ustar\x0000" + bytes(248),
    "MP4": b"\0\0\0\x18ftypmp42" + bytes(100),
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
    "JPEG XL": b"\xff\x0a" + bytes(100),
    "JPEG XL in boxes": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100),
    "JPEG-LS": b"\xff\xd8\xf7",
    "JPEG 2000 codestream": b"\xff\x4f\xff\x51" + bytes(100),
    "Photoshop": b"8BPS\0\1" + bytes(100),
    "FITS": b"SIMPLE  =                    T".ljust(2880),
    "NIfTI": (348).to_bytes(4, "little") + bytes(340) + b"n+1\0",
    "NRRD": b"NRRD0004\ntype: uchar\n",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "MNG": b"\x8aMNG\r\n\x1a\n" + PLAIN[8:],
    "AVI": b"RIFF\x00\x01\x00\x00AVI " + bytes(250),
    "WAV": b"RIFF\x00\x01\x00\x00WAVE" + bytes(250),
    "big-endian RIFF": b"RIFX\0\0\1\0WEBP" + bytes(250),
    "TIFF of another number": b"II\x55\0" + bytes(100),
    "TIFF of mixed byte order": b"II\0*" + bytes(100),
}


def other_kinds() -> Iterator[Case]:
    yield Case("nothing", b"", 422)
    for byte in (0x00, 0x42, 0x89, 0xFF):
        yield Case(f"one byte, {byte:#04x}", bytes([byte]), 415)
    for size in (2, 131, 132, 10**6):
        yield Case(f"{size} zeros", bytes(size), 415)
        yield Case(f"{size} times 0xff", b"\xff" * size, 415)
    for name, data in (TEXTS | MAGIC).items():
        yield Case(name, data, 415)
    for format in PILLOW:
        picture = COLORS.convert("1") if format == "XBM" else COLORS
        yield Case(f"{format} as Pillow writes it", encoded(picture, format), 415)


def polyglots() -> Iterator[Case]:
    archive, html = zipped({"evil.txt": b"hello"}), b"<html><script>alert(1)</script></html>"
    for name, data in {"JPEG": BASELINE, "PNG": PLAIN}.items():
        yield Case(f"{name} and a zip behind it", data + archive, 200)
        yield Case(f"{name} and HTML behind it", data + html, 200)
        yield Case(f"{name} behind HTML", html + data, 415)
        yield Case(f"{name} behind a byte-order mark", b"\xef\xbb\xbf" + data, 415)
        as_text = data.replace(b"\n", b"\r\n")
        yield Case(f"{name} sent as text, newlines changed", as_text, 415 if name == "PNG" else 400)
        yield Case(f"{name} with its first bit cleared", bytes([data[0] & 0x7F]) + data[1:], 415)
    yield Case("zip and a PNG behind it", archive + PLAIN, 415)
    yield Case("PDF around a JPEG", b"%PDF-1.7\n1 0 obj<</Filter/DCTDecode>>stream\n" + BASELINE, 415)
    yield Case("PNG's signature and a JPEG", PLAIN[:8] + BASELINE, 400)
    yield Case("JPEG's signature and a PNG", BASELINE[:3] + PLAIN, 400)
    yield Case("GIF's signature and a PNG", b"GIF89a" + PLAIN, 415)
    for name, start in {"a program": b"MZ", "a TIFF": b"II*\0", "a JPEG": b"\xff\xd8\xff", "a PNG": PLAIN[:8]}.items():
        yield Case(f"DICOM that begins like {name}", start.ljust(128, b"\0") + file()[128:], 200)
