"""The way to the classifier: how many may be on it, lone pictures together, many in slices that let others between."""

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from app.imaging import Pixels
from app.model.bundle import Bundle
from app.model.classifier import SLICE, Answers, Classifier


class QueueFull(Exception):
    """As many requests wait as may wait."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer of each picture, a single row, or what went wrong with it; and what they took, in seconds."""

    rows: list[Answers | Exception]
    queue_seconds: float
    infer_seconds: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    inputs: Pixels  # (1, size, size, 1)
    answer: asyncio.Future[Answered]
    since: float


class Batcher:
    """A batch costs what its pictures cost, so nothing waits for one to fill.

    Lone pictures are judged on the event loop, since a thread would fight it for the interpreter, and those that have
    come by the same turn of it together: code that has just run runs faster (1,600 requests a second instead of 1,030).
    Many are judged by a thread, a slice of each request in turn; once a caller has gone, no slice of his is begun.
    """

    def __init__(self, classifier: Classifier, max_queue: int) -> None:
        self._here, self._there = classifier, classifier.twin()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._waiting: deque[_Waiting] = deque()
        self._max_queue = max_queue
        self.places = 0  # requests between the end of their body and their answer

    @property
    def bundle(self) -> Bundle:
        return self._here.bundle

    @property
    def size(self) -> int:
        """Pixels a side that the model looks at."""
        return self._here.size

    def admit(self) -> None:
        """Raise QueueFull where no place is left."""
        if self.places >= self._max_queue:
            raise QueueFull

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from the end of a request's body to its answer. Raises QueueFull."""
        self.admit()
        self.places += 1
        try:
            yield
        finally:
            self.places -= 1

    async def __call__(self, inputs: Pixels) -> Answered:
        """Judge `inputs`, (n, size, size, 1)."""
        loop = asyncio.get_running_loop()
        if len(inputs) == 1:
            if not self._waiting:
                loop.call_soon(self._judge_waiting)
            self._waiting.append(item := _Waiting(inputs, loop.create_future(), perf_counter()))
            return await item.answer
        parts = []
        for start in range(0, len(inputs), SLICE):
            some = inputs[start : start + SLICE]
            parts.append(await loop.run_in_executor(self._thread, _answered, self._there, some, perf_counter()))
        return _joined(parts)

    def successor(self, classifier: Classifier) -> "Batcher":
        """Another of the same kind for another bundle."""
        return Batcher(classifier, self._max_queue)

    async def close(self) -> None:
        """Let go of the model once nobody holds a place."""
        while self.places:
            await asyncio.sleep(0.05)
        self._thread.shutdown()

    def _judge_waiting(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._judge_waiting)
        if not (batch := [item for item in taken if not item.answer.cancelled()]):
            return
        found = _answered(self._here, np.concatenate([item.inputs for item in batch]), start := perf_counter())
        for row, item in zip(found.rows, batch, strict=True):
            item.answer.set_result(Answered([row], start - item.since, found.infer_seconds))


def _answered(classifier: Classifier, inputs: Pixels, since: float) -> Answered:
    start = perf_counter()
    rows = _rows(classifier, inputs)
    return Answered(rows, start - since, perf_counter() - start)


def _rows(classifier: Classifier, inputs: Pixels) -> list[Answers | Exception]:
    """One poisoned picture fails alone: where some fail together, each is tried by itself."""
    try:
        answers = classifier(inputs)
    except Exception as error:
        if len(inputs) == 1:
            return [error]
        return [row for index in range(len(inputs)) for row in _rows(classifier, inputs[index : index + 1])]
    return [answers[row : row + 1] for row in range(len(inputs))]


def _joined(parts: list[Answered]) -> Answered:
    rows = [row for part in parts for row in part.rows]
    return Answered(rows, sum(part.queue_seconds for part in parts), sum(part.infer_seconds for part in parts))
