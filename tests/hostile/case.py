"""A file from a stranger and the answer it deserves, and the ways to spoil a sound one."""

import io
import random
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from training import phantoms

HAND = phantoms.draw("Hand", np.random.default_rng(12345))  # (64, 64) uint8; the picture in nearly every file
LARGE = HAND.repeat(2, axis=0).repeat(2, axis=1)  # (128, 128)
WIDE = HAND.astype(np.uint16) * 257
SIDE = 6300  # squared it is just under the limit of 40 million pixels
KEPT = (0.1, 0.25, 0.5, 0.75, 0.9)  # of a file that was cut
ANY = {200, 400, 413, 415, 422}  # of a file changed at random: whatever it is now, no failure of ours

Status = int | set[int]


@dataclass(frozen=True, slots=True)
class Case:
    """`status` is the one right answer, by the table in the design; a set only where several are right."""

    name: str
    data: bytes
    status: Status

    @property
    def statuses(self) -> set[int]:
        return self.status if isinstance(self.status, set) else {self.status}


def encoded(picture: Image.Image | npt.NDArray[Any], format: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)  # which dates it 1980
    return memory.getvalue()


def sizes(format: str) -> Iterator[Case]:
    """Sound pictures that are too small to be judged."""
    for width, height in ((1, 1), (15, 200), (200, 15), (1, 16_000)):
        yield Case(f"{format} of {width} × {height}", encoded(Image.new("L", (width, height), 90), format), 422)


def cuts(name: str, data: bytes, signature: int, end: int = 2) -> Iterator[Case]:
    """Cut in and after the first `signature` bytes, in the header, in the data and before the `end` bytes that end it."""
    yield Case(f"{name}, cut in the signature", data[: signature - 1], 415)
    for size in (signature, signature + 5):
        yield Case(f"{name}, cut after {size} bytes", data[:size], 400)
    for kept in KEPT:
        yield Case(f"{name}, cut after {kept:.0%}", data[: int(kept * len(data))], 400)
    yield Case(f"{name}, without its end", data[:-end], 400)


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def flips(name: str, data: bytes, start: int, stop: int, status: Status, count: int = 4) -> Iterator[Case]:
    """One bit changed somewhere from `start` to `stop`, `count` times."""
    dice = random.Random(name)
    for _ in range(count):
        at, bit = dice.randrange(start, stop), dice.randrange(8)
        yield Case(f"{name}, bit {bit} of byte {at} flipped", changed(data, at, bytes([data[at] ^ 1 << bit])), status)


def scrambled(name: str, data: bytes, count: int = 4) -> Iterator[Case]:
    """A few bytes changed anywhere, `count` times."""
    dice = random.Random(name)
    for number in range(count):
        spoiled = bytearray(data)
        for _ in range(2 + 4 * number):
            spoiled[dice.randrange(len(data))] = dice.randrange(256)
        yield Case(f"{name}, scrambled {number}", bytes(spoiled), ANY)


def zeroed(data: bytes, start: int, stop: int) -> bytes:
    """The second half of what lies from `start` to `stop`, blank."""
    half = (start + stop) // 2
    return data[:half] + bytes(stop - half) + data[stop:]


def spoiled(kind: type[np.floating[Any]], value: float) -> npt.NDArray[Any]:
    """HAND in floating point, and one pixel of `value`."""
    pixels = HAND.astype(kind)
    pixels[5, 7] = value
    return pixels


def extremes(kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
    return np.where(HAND > 100, np.finfo(kind).max, np.finfo(kind).min).astype(kind)
