"""How much faster `classify --slices N` is than judging every slice: python -m tests.benchmarks slices.

Drawn CT series of 512 × 512 pixels, as they are, packed with JPEG 2000, and in one .tar.gz; whole commands, start included.
"""

import tarfile
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from tests.benchmarks.stand import CURRENT, seconds, table
from tests.dicoms import dicom
from tests.running import run
from training import phantoms

ROUNDS = 3
SERIES, SLICES = 10, 120
SIDE = 512
PARTS = (None, 3, 8, 16)  # slices judged of each series; None: all
Values = npt.NDArray[np.uint16]


def slices() -> None:
    with tempfile.TemporaryDirectory() as name:
        heaps = dict(_heaps(Path(name)))
        head = ("", *(f"{heap} (ratio)" for heap in heaps))
        rounds = [[[_seconds(heap, part) for heap in heaps.values()] for part in PARTS] for _ in range(ROUNDS)]
    middle = np.median(rounds, axis=0)
    rows = (
        (
            str(part or "all"),
            *(f"{own:.1f} s ({of_all / own:.1f})" for own, of_all in zip(times, middle[0], strict=True)),
        )
        for part, times in zip(PARTS, middle, strict=True)
    )
    table(f"{SERIES} series of {SLICES} slices, by how many are judged; medians of {ROUNDS}", head, *rows)


def _seconds(heap: Path, part: int | None) -> float:
    with tempfile.TemporaryDirectory() as name:
        tables = ("--out", Path(name) / "files.csv", "--series", Path(name) / "series.csv", "--bundle", CURRENT)
        asked = ("--slices", str(part)) if part else ()
        return seconds(partial(run, "app", "classify", heap, *tables, *asked))


def _heaps(folder: Path) -> Iterator[tuple[str, Path]]:
    pictures = [_picture(kind, number) for number, kind in enumerate(("HeadCT", "ChestCT", "AbdomenCT"))]
    packed = [encapsulate([bytes(imagecodecs.jpeg2k_encode(each, level=0))]) for each in pictures]
    for number in range(SERIES * SLICES):
        picture = number % len(pictures)
        for name, syntax, content in (
            ("plain", ExplicitVRLittleEndian, pictures[picture].tobytes()),
            ("JPEG 2000", JPEG2000Lossless, packed[picture]),
        ):
            (folder / name).mkdir(exist_ok=True)
            (folder / name / f"{number:06}.dcm").write_bytes(_slice(pictures[picture], syntax, content, number))
    with tarfile.open(folder / "plain.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(folder / "plain", "plain")
    yield from ((name, folder / name) for name in ("plain", "JPEG 2000", "plain.tar.gz"))


def _picture(kind: str, seed: int) -> Values:
    rng = np.random.default_rng(seed)
    drawn = np.asarray(Image.fromarray(phantoms.draw(kind, rng)).resize((SIDE, SIDE)), np.uint16)
    return np.asarray(16 * drawn + rng.integers(0, 32, drawn.shape, np.uint16))


def _slice(pixels: Values, syntax: str, content: bytes, number: int) -> bytes:
    series, slice_ = divmod(number, SLICES)
    return dicom(
        pixels,
        syntax,
        PixelData=content,
        Modality="CT",
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID=f"1.2.3.{series}",
        SOPInstanceUID=f"1.2.3.{series}.{slice_}",
        InstanceNumber=slice_ + 1,
        ImagePositionPatient=[0, 0, 2.5 * slice_],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        WindowCenter=2048,
        WindowWidth=4096,
    )
