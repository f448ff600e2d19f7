"""DICOM's stored values as a display would show them: PS3.3 C.11, with sane defaults where the header says nothing."""

from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from app.imaging.picture import NOT_FINITE, Pixels, UnusablePicture, Window, bands

SOFT_TISSUE = 40.0, 400.0  # in Hounsfield units, for a CT that brings no window
CLIPPED_PERCENT = 0.5  # of the values, left out at either end where there is no window at all
SAMPLED_PIXELS = 4_000_000  # enough to know those
LINEAR = "LINEAR"
CT, HOUNSFIELD = "CT", "HU"  # a modality, and its rescale type
MAX_EXPONENT = 50  # beyond which a sigmoid is black or white

Values = npt.NDArray[Any]


def render(
    values: Values, dataset: Dataset, modality: str | None, ct_window: Window | None = None
) -> tuple[Pixels, Window | None]:
    """Grey of one frame's stored values, (rows, columns) or (rows, columns, 3), and the window people see them through.

    Hounsfield units are grey through `ct_window` if there is one, with air black also in MONOCHROME1.
    """
    plain = values.ndim < 3 and dataset.PhotometricInterpretation != "PALETTE COLOR"
    window = None
    if plain and not dataset.get("VOILUTSequence"):
        window = _own_window(dataset) or _default_window(values, dataset, modality)
    parts = (values[rows] for rows in bands(*values.shape[:2]))
    if plain and ct_window and is_in_hounsfield_units(dataset, modality):
        grey = [_eight_bits(_through(measured(part, dataset), ct_window, LINEAR)) for part in parts]
    else:
        grey = [_grey(part, dataset, window) for part in parts]
    return np.concatenate(grey), window


def _grey(values: Values, dataset: Dataset, window: Window | None) -> Pixels:
    bits = int(dataset.get("BitsStored") or 0)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        bits = 8 * values.itemsize
    if values.ndim == 3:
        return np.asarray(Image.fromarray(_eight_bits(values / (2.0**bits - 1))).convert("L"))
    values = measured(values, dataset)
    if window is None:
        table = dataset.VOILUTSequence[0]
        shown = _looked_up(values, table) / (2.0 ** table.LUTDescriptor[2] - 1)
    else:
        shown = _through(values, window, _function(dataset) if _own_window(dataset) else LINEAR)
    pixels = _eight_bits(shown)
    return 255 - pixels if dataset.PhotometricInterpretation == "MONOCHROME1" else pixels


def _eight_bits(shown: Values) -> Pixels:
    return (shown.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _padding(stored: Values, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Where there is no picture, only what fills the frame up."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, bool)
    low, high = sorted((int(first), int(dataset.get("PixelPaddingRangeLimit", first))))
    return (stored >= low) & (stored <= high)


def measured(stored: Values, dataset: Dataset) -> Values:
    """What the modality measured, by PS3.3 C.11.1. Raises UnusablePicture where that is no number."""
    if "ModalityLUTSequence" in dataset:
        return _looked_up(stored, dataset.ModalityLUTSequence[0])
    if "RescaleSlope" in dataset:
        stored = stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    if not np.isfinite(stored).all():
        raise UnusablePicture(NOT_FINITE)
    return stored


def _looked_up(values: Values, table: Dataset) -> Values:
    """Entries of a table of words for each value, those beyond either end for what lies beyond."""
    _, first, bits = table.LUTDescriptor
    entries = np.frombuffer(table.LUTData, "<u2").astype(np.uint8 if bits <= 8 else np.uint16)
    found: Values = entries[np.clip(np.rint(values).astype(np.int64) - first, 0, len(entries) - 1)]
    return found


def _function(dataset: Dataset) -> str:
    return str(dataset.get("VOILUTFunction") or LINEAR)


def _own_window(dataset: Dataset) -> Window | None:
    """The first of the file's windows, if it makes sense."""
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if center is None or width is None or not isfinite(center + width):
        return None
    if width <= 0 or (width < 1 and _function(dataset) == LINEAR):
        return None
    return center, width


def is_in_hounsfield_units(dataset: Dataset, modality: str | None) -> bool:
    """Whether it is a CT whose header says so: by a rescale of no other type, or a table (PS3.3 C.11.1.1.2)."""
    if modality != CT:
        return False
    table = next(iter(dataset.get("ModalityLUTSequence") or []), None)
    if table is not None:
        return bool(table.get("ModalityLUTType") == HOUNSFIELD)
    return "RescaleSlope" in dataset and (dataset.get("RescaleType") or HOUNSFIELD) == HOUNSFIELD


def _default_window(stored: Values, dataset: Dataset, modality: str | None) -> Window:
    """All of what eight bits can hold; soft tissue for a CT; else the values but for a few at either end."""
    stored = stored[:: 1 + stored.size // SAMPLED_PIXELS]  # some rows of a large picture stand for all
    values, bits = measured(stored, dataset), int(dataset.get("BitsStored") or 0)
    if values.dtype == np.uint8:
        low, high = 0.0, 2.0**bits - 1 if 0 < bits < 8 else 255.0
    elif is_in_hounsfield_units(dataset, modality):
        return SOFT_TISSUE
    else:
        picture = ~_padding(stored, dataset)
        values = values[picture] if picture.any() else values
        low, high = np.percentile(values, (CLIPPED_PERCENT, 100 - CLIPPED_PERCENT)).tolist()
    if not isfinite(high - low + abs(low + high)):
        raise UnusablePicture(NOT_FINITE)
    return (low + high) / 2 + 0.5, high - low + 1


def _through(values: Values, window: Window, function: str) -> Values:
    """Grey from 0 to 1, with values beyond either end, by the formulas of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    center, width = window
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -MAX_EXPONENT, MAX_EXPONENT)))
    if function == "LINEAR_EXACT" or width == 1:
        return (values - center) / width + 0.5
    return (values - (center - 0.5)) / (width - 1) + 0.5
