"""Fitting that can be killed at any moment and ends where an unbroken run would have ended."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from math import isfinite
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from training import DataError, Interrupted
from training.companions import Companions
from training.recipes.recipe import History, Recipe
from training.split import Split

LOGS, HISTORY, RESUME = "tensorboard", "history.csv", "resume"
VALIDATION_BATCH = 512
WEIGHTS, STATE = "weights.npz", "state.json"
CALLBACK_STATE = ("best", "wait", "cooldown_counter", "stopped_epoch", "best_epoch")  # as Keras names it


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Makes what dropout draws a function of seed and epoch, which saved weights do not tell."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign((self.seed, epoch << 16))  # the second counts draws


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
        with np.load(found[-1] / WEIGHTS) as stored:
            for variable, name in zip(_variables(model), stored, strict=True):
                variable.assign(stored[name])
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
        # not Keras' save_weights: HDF5 takes the process down with it where the disk is full
        np.savez(scratch / WEIGHTS, *map(keras.ops.convert_to_numpy, _variables(self.model)), allow_pickle=False)
        counters = [{key: vars(other)[key] for key in CALLBACK_STATE if key in vars(other)} for other in self.others]
        state = {"history": self.history, "stopped": self.model.stop_training, "callbacks": counters}
        (scratch / STATE).write_text(json.dumps(state, default=float))
        scratch.rename(final)
        for older in self.folder.glob("[0-9]*"):
            if older != final:
                shutil.rmtree(older)


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


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


def fit(
    recipe: Recipe, split: Split, companions: Companions | None, run: Path, console: Console
) -> tuple[keras.Model, History]:
    """Train in `run`, going on where an earlier run stopped: the model and every epoch's figures.

    Raises Interrupted, and DataError where the loss is no longer a number.
    """
    keras.utils.set_random_seed(split.seed)
    tf.config.experimental.enable_op_determinism()
    batches = recipe.batches(split, companions)
    model = recipe.network(len(split.pictures.classes), len(batches))
    console.print(described(model))
    callbacks = recipe.callbacks(run)
    resume, stop = Resume(run / RESUME, callbacks), StopOnRequest()
    done = resume.restore(model)
    batches.start(epoch=done)
    if not resume.stopped and done < recipe.max_epochs:
        log = keras.callbacks.TensorBoard(run / LOGS, write_graph=False)
        with stop.listening(), _full_disk():
            model.fit(
                batches,
                validation_data=split.arrays(split.rows("val")),
                validation_batch_size=VALIDATION_BATCH,
                epochs=recipe.max_epochs,
                initial_epoch=done,
                callbacks=[Reseed(split.seed), log, *callbacks, keras.callbacks.TerminateOnNaN(), resume, stop],
                verbose="auto" if console.is_terminal else 2,
                shuffle=False,  # the batches are shuffled already
            )
    _write_history(run / HISTORY, resume.history)
    if not isfinite(resume.history[-1]["loss"]):
        raise DataError(
            f"In epoch {len(resume.history)} the loss is no longer a number; try a smaller --learning-rate."
        )
    return model, resume.history


def described(model: keras.Model) -> str:
    """Keras' summary: layers, shapes and numbers of parameters, in 78 columns."""
    lines: list[str] = []
    model = keras.Model(
        model.inputs, model.outputs, name=model.name
    )  # without the optimiser, whose numbers count as parameters
    model.summary(line_length=78, print_fn=lines.append)
    return "\n".join(lines)


@contextmanager
def _full_disk() -> Iterator[None]:
    """TensorFlow has an error of its own for TensorBoard's log on a full disk; raises OSError instead."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or os.strerror(ENOSPC) not in str(error):
            raise
        raise OSError(ENOSPC, os.strerror(ENOSPC)) from error


def _write_history(path: Path, history: History) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
