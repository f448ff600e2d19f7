"""How sure is sure, and how strange is too strange: both from the validation split, changed copies and drawn negatives."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from app.model.classifier import Floats
from training.augment import augment
from training.augmenter import Augmenter
from training.corruptions import CORRUPTIONS
from training.intervals import equal_error
from training.split import Split

FORWARD_BATCH = 256
NEGATIVES = 6_000  # that the threshold is read from
TEMPERATURES = np.exp(np.linspace(-1.5, 1.5, 121))


@dataclass(frozen=True)
class Calibration:
    """Logits are divided by `temperature`; a picture whose free energy lies above `energy` is refused."""

    temperature: float
    energy: float


def calibrate(model: keras.Model, split: Split, material: int) -> Calibration:
    """Both for a network that gives logits; negatives are made from at most `material` pictures."""
    return Calibration(_temperature(model, split), _energy(model, split, material))


def _temperature(model: keras.Model, split: Split) -> float:
    """Temperature scaling (Guo et al., ICML 2017) on the validation pictures and every changed copy of them."""
    rows = split.rows("val")
    pictures, labels = split.pictures.inputs[rows, :, :, 0], split.pictures.labels[rows]
    logits = np.concatenate(
        [_logits(model, pictures), *(_logits(model, corrupt(pictures)) for corrupt in CORRUPTIONS.values())]
    )
    truth = np.tile(labels, len(CORRUPTIONS) + 1)
    losses = [-_log_softmax(logits / value)[np.arange(len(truth)), truth].mean() for value in TEMPERATURES]
    return float(TEMPERATURES[np.argmin(losses)])


def _energy(model: keras.Model, split: Split, material: int) -> float:
    """The energy that refuses as large a share of augmented validation pictures as it accepts of negatives made from them.

    Nothing is left to choose: at the equal error rate a stranger let in and a picture turned away count alike.
    """
    rng, rows = np.random.default_rng([split.seed, 2]), split.rows("val")
    augmenter = Augmenter(split, rows)
    drawn = np.concatenate([augmenter.negatives(rng, NEGATIVES, material), split.of_no_class("val")[:, :, :, 0]])
    negatives = augment(rng, drawn / np.float32(255))
    pictures = augmenter.augmented(rng, np.arange(len(rows)))
    return equal_error(_free_energy(model, pictures), _free_energy(model, negatives))


def _free_energy(model: keras.Model, pictures: Pixels) -> npt.NDArray[np.floating]:
    return -np.logaddexp.reduce(_logits(model, pictures), axis=1)


def _logits(model: keras.Model, pictures: Pixels) -> Floats:
    starts = range(0, len(pictures), FORWARD_BATCH)
    chunks = [np.ascontiguousarray(pictures[start : start + FORWARD_BATCH])[:, :, :, np.newaxis] for start in starts]
    return np.concatenate([model.predict_on_batch(chunk) for chunk in chunks])


def _log_softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return logits - np.logaddexp.reduce(logits, axis=1)[:, np.newaxis]
