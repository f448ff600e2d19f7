"""How sure is sure, and how strange is too strange: both from the validation split, changed copies and drawn negatives."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from app.model.classifier import CHUNK, Floats
from training import augment
from training.changes import CHANGES
from training.config import Preset, Robust
from training.darkroom import Darkroom
from training.models import served
from training.split import Split

TEMPERATURES = np.exp(np.linspace(-1.5, 1.5, 121))


@dataclass(frozen=True)
class Calibration:
    """Logits are divided by `temperature`; a picture whose free energy lies above `energy` is refused."""

    temperature: float
    energy: float


def finish(model: keras.Model, preset: Preset, split: Split) -> tuple[keras.Model, Calibration | None]:
    """The model to publish: a robust network calibrated, with its outputs named; any other as it is."""
    if not isinstance(preset, Robust):
        return model, None
    calibration = Calibration(_temperature(model, split), _energy(model, preset, split))
    return served(model, calibration.temperature, calibration.energy), calibration


def _temperature(model: keras.Model, split: Split) -> float:
    """Temperature scaling (Guo et al., ICML 2017) on the validation pictures and every changed copy of them."""
    rows = split.rows("val")
    pictures, labels = split.pictures.inputs[rows, :, :, 0], split.pictures.labels[rows]
    logits = np.concatenate(
        [_logits(model, pictures), *(_logits(model, change(pictures)) for change in CHANGES.values())]
    )
    truth = np.tile(labels, len(CHANGES) + 1)
    losses = [-_log_softmax(logits / value)[np.arange(len(truth)), truth].mean() for value in TEMPERATURES]
    return float(TEMPERATURES[np.argmin(losses)])


def _energy(model: keras.Model, preset: Robust, split: Split) -> float:
    """Where as many varied validation pictures are refused as negatives, drawn anew and varied alike, are accepted.

    The equal error rate has no free choice. Untouched pictures lie far on the accepted side of it.
    """
    rng, rows = np.random.default_rng([split.seed, 2]), split.rows("val")
    darkroom = Darkroom(split, rows)
    familiar = _free_energy(model, darkroom.varied(rng, np.arange(len(rows))))
    drawn = darkroom.negatives(rng, len(rows), preset.material)
    negatives = np.concatenate([drawn, split.strangers("val")[:, :, :, 0]])
    strange = _free_energy(model, augment.vary(rng, negatives / np.float32(255)))
    levels = np.sort(np.concatenate([familiar, strange]))
    refused = 1 - np.searchsorted(np.sort(familiar), levels, "right") / len(familiar)
    accepted = np.searchsorted(np.sort(strange), levels, "right") / len(strange)
    return float(levels[np.argmin(np.abs(refused - accepted))])


def _free_energy(model: keras.Model, pictures: Pixels) -> npt.NDArray[np.floating]:
    return -np.logaddexp.reduce(_logits(model, pictures), axis=1)


def _logits(model: keras.Model, pictures: Pixels) -> Floats:
    starts = range(0, len(pictures), CHUNK)
    chunks = [np.ascontiguousarray(pictures[start : start + CHUNK])[:, :, :, np.newaxis] for start in starts]
    return np.concatenate([model.predict_on_batch(chunk) for chunk in chunks])


def _log_softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return logits - np.logaddexp.reduce(logits, axis=1)[:, np.newaxis]
