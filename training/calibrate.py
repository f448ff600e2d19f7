"""How sure is sure, and how strange is too strange: from companions that were held out, and the validation split."""

from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import Pixels, View
from app.model.classifier import Floats
from training.augment import augment
from training.augmenter import Augmenter
from training.companions import Companions
from training.corruptions import CORRUPTIONS
from training.datasets import Indices
from training.external import held_out
from training.intervals import equal_error
from training.split import Split

FORWARD_BATCH = 256
ACCEPTED_SHARE = 0.98  # of held-out companions of the classes
NEGATIVES = 6_000  # that the threshold is read from where there are no companions
EQUAL_ERROR = "free energy; equal error rate on drawn strangers"
ACCEPTING = (
    f"free energy; accepts {ACCEPTED_SHARE:.0%} or more of held-out companions, and of validation pictures of each class "
    "without, untouched and changed"
)
TEMPERATURES = np.exp(np.linspace(-1.5, 1.5, 121))


@dataclass(frozen=True)
class Calibration:
    """Logits are divided by `temperature`; a picture whose free energy lies above `energy` is refused."""

    temperature: float
    energy: float
    method: str  # by which the energy was chosen, in words


class Scored(NamedTuple):
    """What the network makes of n pictures."""

    logits: Floats  # (n, classes)
    labels: Indices


def calibrate(
    model: keras.Model, split: Split, companions: Companions | None, view: View, material: int
) -> Calibration:
    """Both for a network of that view that gives logits; strangers are drawn, from at most `material` pictures, if there are
    no others.
    """
    changed = _on_changed(model, split)
    if companions is None:
        return Calibration(_temperature(changed), _equal_error(model, split, material), EQUAL_ERROR)
    kept = held_out(companions, view).of("in")
    held = Scored(_logits(model, kept.inputs[:, :, :, 0]), kept.labels)
    return Calibration(_temperature(changed, held), _accepting(changed, held), ACCEPTING)


def _on_changed(model: keras.Model, split: Split) -> Scored:
    """The validation pictures and every changed copy of them."""
    rows = split.rows("val")
    pictures, labels = split.pictures.inputs[rows, :, :, 0], split.pictures.labels[rows]
    copies = [pictures, *(corrupt(pictures) for corrupt in CORRUPTIONS.values())]
    return Scored(np.concatenate([_logits(model, some) for some in copies]), np.tile(labels, len(copies)))


def _temperature(*judged: Scored) -> float:
    """Temperature scaling (Guo et al., ICML 2017); all that was judged weighs alike, whatever its number."""
    losses = [
        sum(-_log_softmax(logits / value)[np.arange(len(labels)), labels].mean() for logits, labels in judged)
        for value in TEMPERATURES
    ]
    return float(TEMPERATURES[np.argmin(losses)])


def _accepting(changed: Scored, held: Scored) -> float:
    """The energy that accepts ACCEPTED_SHARE of held-out companions, and of the validation pictures of each class without.

    Those with every changed copy. Augmented they were tried: the last of them are beyond recognition, and with them four in
    five strangers were let in, where one in a hundred is.
    """
    without = [changed.logits[changed.labels == label] for label in np.setdiff1d(changed.labels, held.labels)]
    return max(float(np.quantile(_free_energy(logits), ACCEPTED_SHARE)) for logits in (held.logits, *without))


def _equal_error(model: keras.Model, split: Split, material: int) -> float:
    """The energy that refuses as large a share of augmented validation pictures as it accepts of negatives made from them.

    Nothing is left to choose: at the equal error rate a stranger let in and a picture turned away count alike.
    """
    rng, augmenter = np.random.default_rng([split.seed, 2]), Augmenter(split, rows := split.rows("val"))
    augmented = augmenter.augmented(rng, np.arange(len(rows)))
    drawn = np.concatenate([augmenter.negatives(rng, NEGATIVES, material), split.of_no_class("val")[:, :, :, 0]])
    negatives = augment(rng, drawn / np.float32(255))
    return equal_error(*(_free_energy(_logits(model, pictures)) for pictures in (augmented, negatives)))


def _free_energy(logits: Floats) -> npt.NDArray[np.floating]:
    return np.asarray(-np.logaddexp.reduce(logits, axis=1))


def _logits(model: keras.Model, pictures: Pixels) -> Floats:
    starts = range(0, len(pictures), FORWARD_BATCH)
    chunks = [np.ascontiguousarray(pictures[start : start + FORWARD_BATCH])[:, :, :, np.newaxis] for start in starts]
    return np.concatenate([model.predict_on_batch(chunk) for chunk in chunks])


def _log_softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return logits - np.logaddexp.reduce(logits, axis=1)[:, np.newaxis]
