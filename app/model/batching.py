"""The queue in front of the classifier: what queued while it was busy forms the next batch."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from time import perf_counter

import numpy as np

from app.imaging import Pixels
from app.model.bundle import Bundle
from app.model.classifier import BATCH_SIZES, Answers, Classifier

MAX_BATCH = BATCH_SIZES[-1]  # pictures a forward pass
TURNS = 2  # of the event loop, no time: requests that have arrived already join the batch
INLINE_SECONDS = 0.010  # that a batch may keep the event loop
SMOOTHING = 0.1  # weight of the newest batch in the running mean of seconds a picture


class QueueFull(Exception):
    """As many requests wait as may wait; `seconds` until those are answered."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Answered:
    """One picture's answer, a single row, and what it took, in seconds."""

    answers: Answers
    queue_seconds: float
    infer_seconds: float


@dataclass(slots=True, eq=False)
class _Waiting:
    pixels: Pixels  # (size, size, 1)
    answer: asyncio.Future[Answered]
    since: float


class Batcher:
    """One batch at a time; there is no timer, so a lone request waits for nothing.

    A batch soon done is computed on the event loop: a thread would fight it for the interpreter (1,370 requests a second
    instead of 1,960 over 64 connections, two workers). A longer one goes to a thread.
    """

    def __init__(self, classifier: Classifier, max_queue: int, observe: Callable[[int], None]) -> None:
        self._classifier = classifier
        self._max_queue = max_queue
        self._observe = observe  # is told the size of every batch
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._seconds_each = 1e-3
        self.places = 0  # requests between the end of their body and their answer

    @property
    def bundle(self) -> Bundle:
        return self._classifier.bundle

    @property
    def size(self) -> int:
        """Pixels a side that the model looks at."""
        return self._classifier.size

    def admit(self) -> None:
        """Raise QueueFull where no place is left."""
        if self.places >= self._max_queue:
            raise QueueFull(max(1, ceil(len(self._waiting) * self._seconds_each)))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from the end of a request's body to its answer. Raises QueueFull."""
        self.admit()
        self.places += 1
        try:
            yield
        finally:
            self.places -= 1

    async def __call__(self, pixels: Pixels) -> Answered:
        """The answer for one picture, (size, size, 1)."""
        item = _Waiting(pixels, asyncio.get_running_loop().create_future(), perf_counter())
        self._waiting.append(item)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await item.answer

    def successor(self, classifier: Classifier) -> "Batcher":
        """Another of the same kind for another bundle."""
        return Batcher(classifier, self._max_queue, self._observe)

    async def close(self) -> None:
        """Let go of the model once nobody holds a place."""
        while self.places:
            await asyncio.sleep(0.05)
        self._thread.shutdown()

    async def _work(self) -> None:
        try:
            while self._waiting:
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                await self._answer(self._take())
        finally:
            self._worker = None

    def _take(self) -> list[_Waiting]:
        """The next batch, without those nobody waits for any more."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < MAX_BATCH:
            item = self._waiting.popleft()
            if not item.answer.cancelled():
                batch.append(item)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        start = perf_counter()
        try:
            answers = await self._run(np.stack([item.pixels for item in batch]))
        except Exception as error:
            await self._fail(batch, error)
            return
        seconds = perf_counter() - start
        self._observe(len(batch))
        self._seconds_each += SMOOTHING * (seconds / len(batch) - self._seconds_each)
        for row, item in enumerate(batch):
            if not item.answer.cancelled():
                item.answer.set_result(Answered(answers[row : row + 1], start - item.since, seconds))

    async def _fail(self, batch: list[_Waiting], error: Exception) -> None:
        """One poisoned picture fails alone: a failed batch is tried again one picture at a time."""
        if len(batch) > 1:
            for item in batch:
                await self._answer([item])
        elif not batch[0].answer.cancelled():
            batch[0].answer.set_exception(error)

    async def _run(self, inputs: Pixels) -> Answers:
        if len(inputs) * self._seconds_each <= INLINE_SECONDS:
            return self._classifier(inputs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._classifier, inputs)
