"""A heap of series, each of which shows one thing that series do."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from app.imaging import Pixels
from tests.app.slices import AXIAL, OTHER_STUDY, drawn, enhanced, placed, runs, write_series
from training import phantoms

HEADS, CHESTS = drawn(runs(HeadCT=3)), drawn(runs(ChestCT=3))
TILTED = [1, 0, 0, 0, 0.8, 0.6]


def write_heap(root: Path) -> None:
    write_series(root / "head", runs(HeadCT=6), "1.1", BodyPartExamined="HEAD")
    write_series(root / "wrong", runs(HeadCT=4), "1.2", BodyPartExamined="CHEST")
    write_series(root / "trunk", runs(ChestCT=6, AbdomenCT=6), "1.3", BodyPartExamined="CHEST")
    write_series(root / "noise", ["noise"] * 4, "1.4", BodyPartExamined="CHEST")
    write_orders(root / "orders")
    write_scattered(root)
    write_enhanced(root / "enhanced")
    write_others(root / "others")


def write_orders(folder: Path) -> None:
    """Heads come first by position and by natural name, chests by number; by the letters of their names neither."""
    folder.mkdir()
    pictures = [*zip(HEADS, (1, 2, 3), (4, 5, 6), strict=True), *zip(CHESTS, (10, 11, 12), (1, 2, 3), strict=True)]
    for pixels, at, number in pictures:
        (folder / f"position {number}").write_bytes(placed(pixels, "1.5", at, InstanceNumber=number))
        (folder / f"number IM{at}").write_bytes(placed(pixels, "1.6", InstanceNumber=number))
        (folder / f"name IM{at}").write_bytes(placed(pixels, "1.7"))
        axes = TILTED if at == 1 else AXIAL
        (folder / f"tilted {at}").write_bytes(
            placed(pixels, "1.8", at, InstanceNumber=number, ImageOrientationPatient=axes)
        )
        (folder / f"same {at}").write_bytes(placed(pixels, "1.9", 0, InstanceNumber=number))


def write_scattered(root: Path) -> None:
    """A series in two folders and a zip; in one of these folders another, with a slice that is cut short in its middle."""
    with zipfile.ZipFile(root / "rest.zip", "w") as packed:
        for number, pixels in enumerate(drawn(runs(ChestCT=6))):
            folder = root / f"{number % 3}"
            data = placed(pixels, "1.11", number)
            if number % 3 == 2:
                packed.writestr(f"{number}", data)
                continue
            folder.mkdir(exist_ok=True)
            (folder / f"{number}").write_bytes(data)
    for number, pixels in enumerate(drawn(runs(HeadCT=7))):
        data = placed(pixels, "1.10", number)
        (root / "0" / f"cut {number}").write_bytes(data[:-2000] if number == 3 else data)
    for number in range(2):
        (root / "1" / f"torn {number}").write_bytes(placed(HEADS[0], "1.13", number)[:-2000])
    (root / "1" / "lone").write_bytes(placed(HEADS[0], "1.12", 3))


def write_enhanced(folder: Path) -> None:
    folder.mkdir()
    (folder / "one").write_bytes(enhanced(["HeadCT", "ChestCT"] * 3, "1.20", [3, 5, 1, 6, 2, 4]))
    (folder / "a").write_bytes(enhanced(runs(HeadCT=3), "1.21", [4, 5, 6]))
    (folder / "b").write_bytes(enhanced(runs(ChestCT=3), "1.21", [3, 2, 1]))
    heads = runs(HeadCT=6)
    (folder / "cine").write_bytes(placed(np.stack(drawn(heads)), "1.22"))
    frames = [jpeg(pixels) for pixels in drawn(heads)]
    torn = encapsulate([frames[0][:200], *frames[1:]])
    (folder / "torn").write_bytes(enhanced(heads, "1.23", range(6), syntax=uid.JPEGBaseline8Bit, PixelData=torn))


def jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def write_others(folder: Path) -> None:
    """What is of the same study or UID, and of no series above."""
    folder.mkdir()
    (folder / "elsewhere").write_bytes(placed(CHESTS[0], "1.1", 3, StudyInstanceUID=OTHER_STUDY))
    (folder / "unsaid").write_bytes(placed(HEADS[0], None))
    (folder / "dose").write_bytes(placed(HEADS[0], "1.1", SOPClassUID=uid.RTDoseStorage))
    (folder / "report").write_bytes(
        placed(HEADS[0], "1.1", SOPClassUID=uid.BasicTextSRStorage, PixelData=None, Rows=None)
    )
    (folder / "hand.png").write_bytes(phantoms.png(HEADS[0]))
