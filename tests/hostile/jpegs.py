"""JPEG, with segments missing, lying and without end."""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.hostile.case import LARGE, Case, changed, cuts, encoded, flips, scrambled, sizes, zeroed

BASELINE = encoded(LARGE, "JPEG", quality=90)
PROGRESSIVE = encoded(LARGE, "JPEG", quality=90, progressive=True)
COLORED = encoded(np.stack([LARGE] * 3, axis=-1), "JPEG", quality=90)
RESTARTING = encoded(LARGE, "JPEG", quality=90, restart_marker_blocks=16)
START = BASELINE[:2]
FRAME, SCAN = BASELINE.index(b"\xff\xc0"), BASELINE.index(b"\xff\xda")
DATA = SCAN + 10  # where the pixels begin in a grey one


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segment(added: bytes) -> bytes:
    return START + added + BASELINE[2:]


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The same with another size in its frame header."""
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return changed(data, at + 5, struct.pack(">HH", height, width))


def without(marker: int) -> bytes:
    """BASELINE without its first segment of that kind."""
    at = BASELINE.index(bytes([0xFF, marker]))
    return BASELINE[:at] + BASELINE[at + 2 + int.from_bytes(BASELINE[at + 2 : at + 4], "big") :]


def damaged() -> Iterator[Case]:
    for name, data in {"JPEG": BASELINE, "progressive JPEG": PROGRESSIVE, "RGB JPEG": COLORED}.items():
        yield from cuts(name, data, 3, end=5)  # of the pixels three bytes
        yield Case(f"{name}, half zeroed", zeroed(data, data.index(b"\xff\xda"), len(data) - 2), 400)
        yield from flips(f"{name} data", data, len(data) // 2, len(data) - 2, {200, 400})  # often another sound one
        yield from scrambled(name, data)
    yield from flips("JPEG signature", BASELINE, 0, 2, 415, 2)
    tables = BASELINE.index(b"\xff\xc4")
    yield from flips("JPEG lengths of its codes", BASELINE, tables + 7, tables + 21, 400, 3)
    yield Case("JPEG, pixels zeroed", BASELINE[:DATA] + bytes(len(BASELINE) - DATA - 2) + BASELINE[-2:], 400)
    yield Case("JPEG, pixels missing", BASELINE[:DATA] + BASELINE[-2:], 400)
    yield Case("JPEG, half of the pixels missing", BASELINE[: len(BASELINE) // 2] + BASELINE[-2:], 400)
    first, second = (RESTARTING.index(bytes([0xFF, marker])) for marker in (0xD0, 0xD1))
    yield Case("JPEG with restarts", RESTARTING, 200)
    yield Case("JPEG with a restart missing", RESTARTING[:first] + RESTARTING[second:], 400)
    yield Case("JPEG with the restarts in disorder", changed(RESTARTING, first, b"\xff\xd5"), 400)


def segments() -> Iterator[Case]:
    for name, marker in {"quantisation": 0xDB, "frame header": 0xC0, "scan header": 0xDA}.items():
        yield Case(f"JPEG without {name}", without(marker), 400)
    yield Case("JPEG without Huffman codes", without(0xC4), {200, 400})  # the usual codes may be meant
    yield Case("JPEG with two frame headers", BASELINE[:SCAN] + BASELINE[FRAME : FRAME + 13] + BASELINE[SCAN:], 400)
    yield Case("JPEG with two beginnings", START + BASELINE, 400)
    for length in (0, 1, 65535):
        lying = START + b"\xff\xfe" + struct.pack(">H", length) + BASELINE[2:]
        yield Case(f"JPEG with a segment of {length} bytes that are not there", lying, 400)
    wrong = {
        "precision": (4, 7),
        "components": (9, 0),
        "five components": (9, 5),
        "sampling": (11, 0),
        "table": (12, 9),
    }
    for name, (place, value) in wrong.items():
        yield Case(f"JPEG with a wrong {name}", changed(BASELINE, FRAME + place, bytes([value])), 400)
    yield Case("JPEG with a scan of a component it has not", changed(BASELINE, SCAN + 5, b"\x09"), 400)
    yield Case("JPEG with a table it has not", changed(BASELINE, SCAN + 6, b"\x33"), 400)
    yield Case("JPEG, only junk", b"\xff\xd8\xff" + b"junk" * 500, 400)
    yield Case("JPEG, only its two ends", b"\xff\xd8\xff\xd9", 400)
    yield Case("JPEG with a megabyte of zeros behind it", BASELINE + bytes(10**6), 200)


def claims() -> Iterator[Case]:
    yield from sizes("JPEG")
    for side in (13_000, 65_535):
        yield Case(f"JPEG of 128 × 128 that claims {side} × {side}", claiming(BASELINE, side, side), 413)
        yield Case(f"progressive JPEG that claims {side} × {side}", claiming(PROGRESSIVE, side, side), 413)
    for width, height in ((256, 256), (6000, 6000), (128, 136), (128, 120), (136, 128), (64, 64), (1000, 17)):
        yield Case(f"JPEG of 128 × 128 that claims {width} × {height}", claiming(BASELINE, width, height), 400)
    yield Case("progressive JPEG that claims 256 × 256", claiming(PROGRESSIVE, 256, 256), 400)
    yield Case("progressive JPEG that claims 6000 × 6000", claiming(PROGRESSIVE, 6000, 6000), 400)
    yield Case("JPEG that claims 1 × 20000", claiming(BASELINE, 1, 20_000), {400, 422})
    for width, height in ((0, 0), (0, 128), (128, 0)):
        yield Case(f"JPEG that claims {width} × {height}", claiming(BASELINE, width, height), {400, 422})


def without_end() -> Iterator[Case]:
    yield Case("JPEG with 100,000 comments", with_segment(segment(0xFE, b"") * 100_000), 413)
    yield Case("JPEG with 20,000 tables", with_segment(segment(0xDB, b"\3" + b"\1" * 64) * 20_000), 413)
    yield Case("JPEG with 200 comments", with_segment(segment(0xFE, b"drawn") * 200), 200)
    for side in (256, 1600):
        yield Case(f"JPEG of {side} × {side} with 60,000 scans", scans(side, 60_000), 413)
    other = Image.fromarray(LARGE)
    yield Case("MPO", encoded(LARGE, "MPO", save_all=True, append_images=[other]), 200)


def scans(side: int, count: int) -> bytes:
    """A blank progressive JPEG whose last scan, which refines what is refined already, comes again and again."""
    blank = encoded(np.full((side, side), 90, np.uint8), "JPEG", progressive=True)
    last = blank[blank.rindex(b"\xff\xda") : -2]
    return blank[:-2] + last * count + blank[-2:]


def notes() -> Iterator[Case]:
    """A sound picture with something wrong beside it, which spoils no pixel."""
    exif = b"Exif\0\0II*\0\x08\0\0\0"
    odd = {
        "huge junk as EXIF": segment(0xE1, b"Exif\0\0" + b"junk" * 16_000),
        "EXIF cut short": segment(0xE1, exif[:-3]),
        "EXIF that refers to itself": segment(0xE1, exif + struct.pack("<HHHIII", 1, 34665, 4, 1, 8, 8)),
        "EXIF of 65,535 entries": segment(0xE1, exif + b"\xff\xff" + b"\x12\1\3\0\xff\xff\xff\xff" * 900),
        "EXIF outside the file": segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f"),
        "junk as ICC profile": segment(0xE2, b"ICC_PROFILE\0\1\1" + b"junk" * 99),
        "an ICC profile in 255 parts, one of them there": segment(0xE2, b"ICC_PROFILE\0\7\xff" + b"junk" * 99),
        "junk for Photoshop": segment(0xED, b"Photoshop 3.0\0008BIM" + b"\xff" * 40),
        "junk as XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta" + b"<" * 500),
    }
    for orientation in (0, 9, 65535):
        entry = struct.pack("<HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)
        odd[f"an orientation of {orientation}"] = segment(0xE1, exif + entry)
    for name, note in odd.items():
        yield Case(f"JPEG with {name}", with_segment(note), {200, 400} if "profile in" in name else 200)
    as_text = Image.Exif()
    as_text[270] = "x" * 60_000
    yield Case("JPEG with a long description", encoded(Image.open(io.BytesIO(BASELINE)), "JPEG", exif=as_text), 200)
