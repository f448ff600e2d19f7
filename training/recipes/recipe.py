"""What a recipe states, and what fitting asks of it."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields, replace
from math import ceil
from pathlib import Path
from typing import Self

import keras
import numpy as np
import numpy.typing as npt

from app.model.manifest import Input
from training.calibrate import Calibration
from training.companions import Companions
from training.datasets import Indices
from training.split import Split

History = list[dict[str, float]]  # a row an epoch

OPTIONS = {  # of the command line, by what they set
    "max_epochs": "--epochs",
    "steps": "--steps",
    "batch_size": "--batch-size",
    "learning_rate": "--learning-rate",
}


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The training pictures as they are, in another order every epoch.

    A batch is a function of seed, epoch and number alone, so that a resumed run sees what an unbroken one would have.
    """

    def __init__(self, split: Split, batch_size: int, steps: int | None = None) -> None:
        super().__init__()
        self.split, self.rows, self.batch_size, self.steps = split, split.rows("train"), batch_size, steps
        self.start(epoch=0)

    def start(self, epoch: int) -> None:
        self.epoch = epoch
        self.order = np.random.default_rng([self.split.seed, epoch]).permutation(len(self.rows))

    def __len__(self) -> int:
        filled = ceil(len(self.rows) / self.batch_size)
        return min(filled, self.steps or filled)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.generic], ...]:
        return self.split.arrays(self.rows[self.chosen(index)])

    def chosen(self, index: int) -> Indices:
        """Positions in `rows`."""
        return self.order[index * self.batch_size : (index + 1) * self.batch_size]

    def on_epoch_end(self) -> None:
        self.start(self.epoch + 1)


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """Nothing that shapes a model is set anywhere but in a recipe."""

    name: str
    input: Input  # what its model takes
    batch_size: int
    steps: int | None = None  # in an epoch, at most; None: as many as its pictures fill
    max_epochs: int
    learning_rate: float

    @property
    def size(self) -> int:
        return self.input.size

    def with_batches_of(self, size: int) -> Self:
        return replace(self, batch_size=size)

    @abstractmethod
    def network(self, classes: int, steps_per_epoch: int) -> keras.Model:
        """Untrained and compiled. Takes uint8 (n, size, size, 1) and normalises inside."""

    def batches(self, split: Split, companions: Companions | None) -> Batches:
        return Batches(split, self.batch_size, self.steps)

    def callbacks(self, run: Path) -> list[keras.callbacks.Callback]:
        """Keras' own, whose counters a resumed run restores; they may write into the folder `run`."""
        return []

    def kept_epoch(self, history: History) -> int:
        """Whose weights `finish` takes, counted from 1."""
        return len(history)

    @abstractmethod
    def finish(
        self, model: keras.Model, split: Split, companions: Companions | None, run: Path
    ) -> tuple[keras.Model, Calibration | None]:
        """The model to publish, made of the fitted one: outputs `probabilities`, perhaps `ood_score` and `evidence`."""

    def record(self) -> dict[str, str | int | float]:
        return {key: value for key, value in asdict(self).items() if key not in {"name", "input"} and value is not None}

    def overrides(self) -> dict[str, int | float]:
        """What stands in place of the recipe's own, by option of the command line."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {option: values[name][0] for name, option in OPTIONS.items() if values[name][0] != values[name][1]}
