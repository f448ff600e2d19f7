"""How sure is sure, and how strange is too strange: from companions that were held out, and the validation split."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from app.model.classifier import Floats
from training.augment import augment
from training.augmenter import Augmenter
from training.companions import Companions
from training.corruptions import CORRUPTIONS
from training.datasets import Indices
from training.intervals import equal_error
from training.split import Split

FORWARD_BATCH = 256
ACCEPTED_SHARE = 0.97  # of held-out companions of the classes
NEGATIVES = 6_000  # that the threshold is read from where there are no companions
EQUAL_ERROR = "free energy; equal error rate on drawn strangers"
ACCEPTING = (
    f"free energy; accepts {ACCEPTED_SHARE:.0%} or more of held-out companions, and of augmented validation pictures of each "
    "class without"
)
TEMPERATURES = np.exp(np.linspace(-1.5, 1.5, 121))


@dataclass(frozen=True)
class Calibration:
    """Logits are divided by `temperature`; a picture whose free energy lies above `energy` is refused."""

    temperature: float
    energy: float
    method: str  # by which the energy was chosen, in words


def calibrate(model: keras.Model, split: Split, companions: Companions | None, material: int) -> Calibration:
    """Both for a network that gives logits; strangers are drawn, from at most `material` pictures, if there are no others."""
    rng, rows = np.random.default_rng([split.seed, 2]), split.rows("val")
    augmented = Augmenter(split, rows).augmented(rng, np.arange(len(rows)))
    temperature = _temperature(model, split, companions)
    if companions is None:
        return Calibration(temperature, _equal_error(model, split, augmented, rng, material), EQUAL_ERROR)
    return Calibration(temperature, _accepting(model, companions, augmented, split.pictures.labels[rows]), ACCEPTING)


def _temperature(model: keras.Model, split: Split, companions: Companions | None) -> float:
    """Temperature scaling (Guo et al., ICML 2017): validation pictures with every changed copy, and held-out companions.

    Both weigh alike.
    """
    rows = split.rows("val")
    pictures, labels = split.pictures.inputs[rows, :, :, 0], split.pictures.labels[rows]
    copies = [pictures, *(corrupt(pictures) for corrupt in CORRUPTIONS.values())]
    judged = [(np.concatenate([_logits(model, some) for some in copies]), np.tile(labels, len(copies)))]
    if companions:
        held = companions.kept(strangers=False)
        judged.append((_logits(model, companions.inputs[held, :, :, 0]), companions.labels[held]))
    losses = [
        sum(-_log_softmax(logits / value)[np.arange(len(truth)), truth].mean() for logits, truth in judged)
        for value in TEMPERATURES
    ]
    return float(TEMPERATURES[np.argmin(losses)])


def _accepting(model: keras.Model, companions: Companions, augmented: Pixels, labels: Indices) -> float:
    """The energy that accepts ACCEPTED_SHARE of held-out companions, and of augmented validation pictures of each class.

    The latter for classes without companions, whose own pictures are all there is to go by.
    """
    held = companions.kept(strangers=False)
    without = [label for label in np.unique(labels) if label not in companions.labels[held]]
    groups = [companions.inputs[held, :, :, 0], *(augmented[labels == label] for label in without)]
    return max(float(np.quantile(_free_energy(model, group), ACCEPTED_SHARE)) for group in groups)


def _equal_error(model: keras.Model, split: Split, augmented: Pixels, rng: np.random.Generator, material: int) -> float:
    """The energy that refuses as large a share of augmented validation pictures as it accepts of negatives made from them.

    Nothing is left to choose: at the equal error rate a stranger let in and a picture turned away count alike.
    """
    augmenter = Augmenter(split, split.rows("val"))
    drawn = np.concatenate([augmenter.negatives(rng, NEGATIVES, material), split.of_no_class("val")[:, :, :, 0]])
    negatives = augment(rng, drawn / np.float32(255))
    return equal_error(_free_energy(model, augmented), _free_energy(model, negatives))


def _free_energy(model: keras.Model, pictures: Pixels) -> npt.NDArray[np.floating]:
    return -np.logaddexp.reduce(_logits(model, pictures), axis=1)


def _logits(model: keras.Model, pictures: Pixels) -> Floats:
    starts = range(0, len(pictures), FORWARD_BATCH)
    chunks = [np.ascontiguousarray(pictures[start : start + FORWARD_BATCH])[:, :, :, np.newaxis] for start in starts]
    return np.concatenate([model.predict_on_batch(chunk) for chunk in chunks])


def _log_softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return logits - np.logaddexp.reduce(logits, axis=1)[:, np.newaxis]
