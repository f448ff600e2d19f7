"""What the network is shown, batch by batch: a function of seed, epoch and number alone, so that a resumed run sees
what an unbroken one would have."""

from math import ceil

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from training.augment import augment
from training.augmenter import Augmenter
from training.config import Preset, Robust
from training.split import Split

Targets = npt.NDArray[np.float32]  # (n, classes)


class Shuffled(keras.utils.PyDataset):  # type: ignore[misc]
    """The training pictures as they are, in another order every epoch."""

    def __init__(self, inputs: Pixels, targets: Targets, batch_size: int, seed: int) -> None:
        super().__init__()
        self.inputs, self.targets, self.batch_size, self.seed = inputs, targets, batch_size, seed
        self.start(epoch=0)

    def start(self, epoch: int) -> None:
        self.epoch = epoch
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.inputs))

    def __len__(self) -> int:
        return ceil(len(self.inputs) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.generic], ...]:
        rows = self.rows(index)
        return self.inputs[rows], self.targets[rows]

    def rows(self, index: int) -> npt.NDArray[np.intp]:
        return self.order[index * self.batch_size : (index + 1) * self.batch_size]

    def on_epoch_end(self) -> None:
        self.start(self.epoch + 1)


class AugmentedBatches(Shuffled):
    """Some training pictures as they are, most repainted and augmented, and negatives with a uniform target."""

    def __init__(self, split: Split, preset: Robust) -> None:
        negatives = round(preset.batch_size * preset.negatives)
        rows = split.rows("train")
        super().__init__(*split.arrays("train"), min(preset.batch_size - negatives, len(rows)), split.seed)
        self.preset, self.negatives = preset, negatives
        self.augmenter = Augmenter(split, rows)
        rng = np.random.default_rng([split.seed, 1])
        drawn = self.augmenter.negatives(rng, min(preset.pool, len(rows)), preset.material)
        given = split.of_no_class("train")[:, :, :, 0]  # a user's own are half of all, however few they are
        self.pool = np.concatenate([drawn, np.resize(given, drawn.shape)]) if len(given) else drawn

    def __len__(self) -> int:
        return len(self.inputs) // self.batch_size

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.generic], ...]:
        rng, rows = np.random.default_rng([self.seed, self.epoch, index]), self.rows(index)
        kept = round(len(rows) * self.preset.untouched / (1 - self.preset.negatives))
        changed = self.augmenter.augmented(rng, rows[kept:])
        negatives = augment(rng, self.pool[rng.integers(0, len(self.pool), self.negatives)] / np.float32(255))
        uniform = np.full((self.negatives, self.targets.shape[1]), 1 / self.targets.shape[1], np.float32)
        weights = np.repeat(np.array([1, self.preset.negative_weight], np.float32), [len(rows), self.negatives])
        inputs = np.concatenate([self.inputs[rows[:kept], :, :, 0], changed, negatives])
        return inputs[:, :, :, np.newaxis], np.concatenate([self.targets[rows], uniform]), weights


def make(preset: Preset, split: Split) -> Shuffled:
    if isinstance(preset, Robust):
        return AugmentedBatches(split, preset)
    return Shuffled(*split.arrays("train"), preset.batch_size, split.seed)
