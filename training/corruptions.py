"""The changes a picture meets on its way between hospitals, each on its own: what `robustness` measures.

From uint8 (n, side, side) to the same. Full scale is 255.
"""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from app.imaging import Pixels

PADDED_PIXELS, CROPPED_PIXELS = 12, 7  # pixels a side of 64

Values = npt.NDArray[np.floating]


def _on_values(corrupt: Callable[[Values], Values]) -> Callable[[Pixels], Pixels]:
    return lambda pictures: np.clip(np.round(corrupt(pictures.astype(np.float32))), 0, 255).astype(np.uint8)


def _background_black(values: Values) -> Values:
    return np.clip(values - np.median(values, (1, 2), keepdims=True), 0, 255)


def _stretched(values: Values) -> Values:
    low, high = values.min((1, 2), keepdims=True), values.max((1, 2), keepdims=True)
    return (values - low) * (255 / np.maximum(high - low, 1))


def _each(corrupt: Callable[[Image.Image], Image.Image]) -> Callable[[Pixels], Pixels]:
    return lambda pictures: np.stack([np.asarray(corrupt(Image.fromarray(picture))) for picture in pictures])


def _padded(image: Image.Image) -> Image.Image:
    """Flat padding of the border's median, shrunk back to the same size."""
    pixels, margin = np.asarray(image), image.width * PADDED_PIXELS // 64
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    canvas = Image.new("L", (image.width + 2 * margin, image.height + 2 * margin), int(np.median(edge)))
    canvas.paste(image, (margin, margin))
    return canvas.resize(image.size, Image.Resampling.BILINEAR)


def _cropped(image: Image.Image) -> Image.Image:
    margin = image.width * CROPPED_PIXELS / 64
    box = (margin, margin, image.width - margin, image.height - margin)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=box)


def _jpeg_20(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=20)
    return Image.open(file)


def _noisy(values: Values) -> Values:
    noise = np.random.default_rng(0).standard_normal(values.shape, np.float32)
    return values + noise * np.float32(0.05 * 255)


CORRUPTIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "brighter": _on_values(lambda values: values + 0.15 * 255),
    "darker": _on_values(lambda values: values - 0.15 * 255),
    "inverted": lambda pictures: 255 - pictures,
    "background_black": _on_values(_background_black),
    "background_black_stretched": _on_values(lambda values: _stretched(_background_black(values))),
    "stretched": _on_values(_stretched),
    "low_contrast": _on_values(lambda values: 0.3 * values + 0.3 * 255),
    "gamma_half": _on_values(lambda values: 255 * (values / 255) ** 0.5),
    "gamma_2": _on_values(lambda values: 255 * (values / 255) ** 2),
    "turned_90": lambda pictures: np.rot90(pictures, 1, (1, 2)),
    "turned_180": lambda pictures: np.rot90(pictures, 2, (1, 2)),
    "mirrored": lambda pictures: pictures[:, :, ::-1],
    "padded": _each(_padded),
    "cropped": _each(_cropped),
    "noise": _on_values(_noisy),
    "blur": _on_values(lambda values: ndimage.gaussian_filter(values, (0, 1, 1))),
    "jpeg_20": _each(_jpeg_20),
}
