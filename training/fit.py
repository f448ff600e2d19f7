"""Fitting that can be killed at any moment and ends where an unbroken run would have ended."""

import csv
import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from training.config import Interrupted, Preset
from training.split import Split

Targets = npt.NDArray[np.float32]
History = list[dict[str, float]]

BEST, LOGS, HISTORY, RESUME = "best.keras", "tensorboard", "history.csv", "resume"
WEIGHTS, STATE = "model.weights.h5", "state.json"
REMEMBERED = ("best", "wait", "cooldown_counter", "stopped_epoch", "best_epoch")  # callbacks' own names for their state


def make_deterministic(seed: int) -> None:
    """Seed every generator and, where the backend needs telling, ask it for repeatable kernels."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled batches whose order depends on seed and epoch alone, so that a resumed run sees what it would have."""

    def __init__(self, inputs: Pixels, targets: Targets, batch_size: int, seed: int) -> None:
        super().__init__()
        self.inputs, self.targets, self.batch_size, self.seed = inputs, targets, batch_size, seed
        self.start(epoch=0)

    def start(self, epoch: int) -> None:
        self.epoch = epoch
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.inputs))

    def __len__(self) -> int:
        return ceil(len(self.inputs) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Pixels, Targets]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.inputs[rows], self.targets[rows]

    def on_epoch_end(self) -> None:
        self.start(self.epoch + 1)


class Resume(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps weights, optimiser, history and the other callbacks' counters of the last whole epoch.

    Keras' BackupAndRestore keeps neither patience counters nor the best value so far. A state is written beside its
    final name and renamed, so a kill leaves the one before. Comes last among the callbacks: it records what they
    decided, and restores them after their own on_train_begin has reset them.
    """

    def __init__(self, folder: Path, others: list[keras.callbacks.Callback]) -> None:
        super().__init__()
        self.folder, self.others = folder, others
        self.history: History = []
        self.stopped = False
        self._states: list[dict[str, Any]] = []

    def restore(self, model: keras.Model) -> int:
        """Load the newest state into `model`, if there is one; the number of epochs already done."""
        found = sorted(self.folder.glob("[0-9]*"))
        if not found:
            return 0
        state = json.loads((found[-1] / STATE).read_text())
        self.history, self._states, self.stopped = state["history"], state["callbacks"], state["stopped"]
        model.optimizer.build(model.trainable_variables)
        model.load_weights(found[-1] / WEIGHTS)
        return len(self.history)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        for callback, state in zip(self.others, self._states, strict=False):
            vars(callback).update(state)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row = {"epoch": epoch + 1, "seconds": round(perf_counter() - self._started, 2)}
        self.history.append(row | {name: float(value) for name, value in (logs or {}).items()})
        scratch, final = self.folder / "writing", self.folder / f"{epoch + 1:05d}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self.model.save_weights(scratch / WEIGHTS)
        state = {
            "history": self.history,
            "stopped": self.model.stop_training,
            "callbacks": [{key: vars(other)[key] for key in REMEMBERED if key in vars(other)} for other in self.others],
        }
        (scratch / STATE).write_text(json.dumps(state, default=float))
        scratch.rename(final)
        for older in self.folder.glob("[0-9]*"):
            if older != final:
                shutil.rmtree(older)


class StopOnRequest(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training after the epoch in which Ctrl-C was pressed; a second one ends it at once."""

    requested = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.requested:
            raise Interrupted

    @contextmanager
    def listening(self) -> Iterator[None]:
        def request(number: int, frame: FrameType | None) -> None:
            self.requested = True
            signal.signal(signal.SIGINT, before)
            print("\nstopping after this epoch; Ctrl-C again stops at once", flush=True)

        before = signal.signal(signal.SIGINT, request)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def fit(model: keras.Model, preset: Preset, split: Split, run: Path, verbose: int | str) -> tuple[keras.Model, History]:
    """Train in `run`, going on from where an earlier run there stopped; the best model and every epoch's figures.

    Raises Interrupted after Ctrl-C.
    """
    train = Batches(*split.arrays("train"), preset.batch_size, split.seed)
    patient: list[keras.callbacks.Callback] = [
        keras.callbacks.EarlyStopping("val_loss", patience=preset.stop_patience),
        keras.callbacks.ReduceLROnPlateau(
            "val_loss", factor=preset.plateau_factor, patience=preset.plateau_patience, min_lr=preset.min_learning_rate
        ),
        keras.callbacks.ModelCheckpoint(run / BEST, monitor="val_loss", save_best_only=True),
    ]
    resume, stop = Resume(run / RESUME, patient), StopOnRequest()
    done = resume.restore(model)
    train.start(epoch=done)
    if not resume.stopped and done < preset.max_epochs:
        tensorboard = keras.callbacks.TensorBoard(run / LOGS, write_graph=False)
        with stop.listening():
            model.fit(
                train,
                validation_data=split.arrays("val"),
                validation_batch_size=512,
                epochs=preset.max_epochs,
                initial_epoch=done,
                callbacks=[tensorboard, *patient, resume, stop],
                verbose=verbose,
                shuffle=False,  # Batches shuffles
            )
    _write_history(run / HISTORY, resume.history)
    return keras.models.load_model(run / BEST), resume.history


def _write_history(path: Path, history: History) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
