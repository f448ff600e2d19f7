"""Companions as the service would see them, upright; CT also in Hounsfield units, for whoever chooses the window."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.progress import track

from app import imaging
from app.imaging import OVERSAMPLING, PictureError, Pixels, to_input
from app.imaging.dicom import DicomFile
from training import DataError
from training.datasets import FILES_PER_TASK
from training.split import SIDE

SHRINKING = 4  # after the window, a side; a soft-tissue one is 0.6 grey levels off on average, with 2 it is 1.9
TURNS: dict[str, Callable[..., npt.NDArray[Any]]] = {"": np.asarray, "rot90": np.rot90, "flip": np.flipud}

Hounsfield = npt.NDArray[np.int16]
Values = float | npt.NDArray[np.floating]


def rendered(hounsfield: Hounsfield, center: Values, width: Values) -> Pixels:
    """Grey of (m, 256, 256) Hounsfield units through windows, one or (m, 1, 1) of them (PS3.3 C.11.2.1.2); (m, 64, 64)."""
    shown = ((hounsfield - np.float32(center - 0.5)) / np.float32(width - 1) + np.float32(0.5)).clip(0, 1)
    shrunk = shown.reshape(len(shown), SIDE, SHRINKING, SIDE, SHRINKING).mean((2, 4))
    return np.asarray(shrunk * 255 + 0.5, np.uint8)


def decode_all(rows: list[dict[str, str]], paths: dict[str, Path]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of Companions for these rows of the list, found at `paths` by their sha256. Raises DataError."""
    with ProcessPoolExecutor() as pool:
        files, turns = [paths[row["sha256"]] for row in rows], [row["upright"] for row in rows]
        results = pool.map(_decode_one, files, turns, chunksize=FILES_PER_TASK)
        inputs, units = zip(*track(results, "decoding companions", total=len(rows)), strict=True)
    measured = [index for index, values in enumerate(units) if values is not None]
    return {
        "inputs": np.array(inputs),
        "hounsfield": np.array([units[index] for index in measured], np.int16).reshape(
            -1, SHRINKING * SIDE, SHRINKING * SIDE
        ),
        "hounsfield_rows": np.array(measured, np.intp),
    }


def _decode_one(path: Path, upright: str) -> tuple[Pixels, Hounsfield | None]:
    """What the service would see of it, turned upright, and Hounsfield units where there are some."""
    try:
        file = imaging.open(path.read_bytes())
        picture = file.read(OVERSAMPLING * SIDE)
        units = file.hounsfield() if isinstance(file, DicomFile) else None
    except PictureError as error:
        raise DataError(f"{path}: {error}") from error
    turn = TURNS[upright]
    turned = replace(picture, pixels=np.ascontiguousarray(turn(picture.pixels)))
    return to_input(turned, SIDE), None if units is None else _shrunk(np.ascontiguousarray(turn(units)))


def _shrunk(units: npt.NDArray[np.float32]) -> Hounsfield:
    small = Image.fromarray(units).resize((SHRINKING * SIDE, SHRINKING * SIDE), Image.Resampling.BOX)
    return np.asarray(np.rint(np.asarray(small)).clip(-(2**15), 2**15 - 1), np.int16)
