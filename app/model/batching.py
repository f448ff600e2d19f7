"""The way to the classifier: lone pictures together, many in slices that let others between."""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np

from app.imaging import Pixels
from app.model.bundle import Bundle
from app.model.classifier import SLICE, Classifier, Outputs


class Timing(Protocol):
    """Seconds that a request spends here, where it keeps them."""

    queue: float
    infer: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    inputs: Pixels  # (1, size, size, 1)
    timing: Timing
    outputs: asyncio.Future[Outputs | Exception]
    since: float


class Batcher:
    """A batch costs what its pictures cost, so nothing waits for one to fill.

    Lone pictures are judged on the event loop, since a thread would fight it for the interpreter, and those that have
    come by the same turn of it together: code that has just run runs faster (1,600 requests a second instead of 1,030).
    Many are judged by a thread, a slice of each request in turn; once a caller has gone, no slice of his is begun.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._here, self._there = classifier, classifier.twin()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._waiting: deque[_Waiting] = deque()
        self.bundle: Bundle = classifier.bundle
        self.view = classifier.view

    async def __call__(self, inputs: Pixels, timing: Timing) -> list[Outputs | Exception]:
        """What the model gives for each of `inputs`, (n, size, size, 1), a row each, or what went wrong with it."""
        loop = asyncio.get_running_loop()
        if len(inputs) == 1:
            if not self._waiting:
                loop.call_soon(self._judge_waiting)
            self._waiting.append(item := _Waiting(inputs, timing, loop.create_future(), perf_counter()))
            return [await item.outputs]
        rows: list[Outputs | Exception] = []
        for start in range(0, len(inputs), SLICE):
            some = inputs[start : start + SLICE]
            rows += await loop.run_in_executor(self._thread, _timed, self._there, some, timing, perf_counter())
        return rows

    def _judge_waiting(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._judge_waiting)
        if not (batch := [item for item in taken if not item.outputs.cancelled()]):
            return
        start = perf_counter()
        rows = _rows(self._here, np.concatenate([item.inputs for item in batch]))
        seconds = perf_counter() - start
        for row, item in zip(rows, batch, strict=True):
            item.timing.queue, item.timing.infer = start - item.since, seconds
            item.outputs.set_result(row)


def _timed(classifier: Classifier, inputs: Pixels, timing: Timing, since: float) -> list[Outputs | Exception]:
    start = perf_counter()
    rows = _rows(classifier, inputs)
    timing.queue += start - since
    timing.infer += perf_counter() - start
    return rows


def _rows(classifier: Classifier, inputs: Pixels) -> list[Outputs | Exception]:
    """One poisoned picture fails alone: where some fail together, each is tried by itself."""
    try:
        outputs = classifier(inputs)
    except Exception as error:
        if len(inputs) == 1:
            return [error]
        return [row for index in range(len(inputs)) for row in _rows(classifier, inputs[index : index + 1])]
    return [outputs] if len(inputs) == 1 else [outputs[row : row + 1] for row in range(len(inputs))]
