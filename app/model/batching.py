"""The queue in front of the classifier: what queued while it was busy forms the next batch."""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from app.imaging import Pixels
from app.model.classifier import Answers, Classifier

MAX_BATCH = 128  # pictures a forward pass


class QueueFull(Exception):
    """As many pictures wait as may wait."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and what it took, in seconds."""

    answers: Answers
    queue_seconds: float
    infer_seconds: float


@dataclass(slots=True, eq=False)
class _Waiting:
    inputs: Pixels  # (n, size, size, 1)
    answer: asyncio.Future[Answered]
    since: float


class Batcher:
    """One worker thread owns the model; there is no timer, so a lone request waits for nothing."""

    def __init__(self, classifier: Classifier, max_queue: int) -> None:
        self._classify = classifier
        self._max_queue = max_queue
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    @property
    def full(self) -> bool:
        return self.depth >= self._max_queue

    @property
    def depth(self) -> int:
        """Pictures waiting, those in the model not counted."""
        return sum(len(item.inputs) for item in self._waiting)

    async def __call__(self, inputs: Pixels) -> Answered:
        """Queue `inputs`, (n, size, size, 1), and wait for their answers. Raises QueueFull."""
        if self.full:
            raise QueueFull
        item = _Waiting(inputs, asyncio.get_running_loop().create_future(), perf_counter())
        self._waiting.append(item)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await item.answer

    def close(self) -> None:
        self._thread.shutdown()

    async def _work(self) -> None:
        try:
            while batch := self._take():
                await self._answer(batch)
        finally:
            self._worker = None

    def _take(self) -> list[_Waiting]:
        """The next batch, at most MAX_BATCH pictures unless one request alone brings more."""
        batch: list[_Waiting] = []
        room = MAX_BATCH
        while self._waiting and (not batch or len(self._waiting[0].inputs) <= room):
            item = self._waiting.popleft()
            if not item.answer.cancelled():  # nobody waits for it any more
                batch.append(item)
                room -= len(item.inputs)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        start = perf_counter()
        try:
            answers = await self._run(np.concatenate([item.inputs for item in batch]))
        except Exception as error:
            await self._fail(batch, error)
            return
        seconds, offset = perf_counter() - start, 0
        for item in batch:
            rows = slice(offset, offset := offset + len(item.inputs))
            if not item.answer.cancelled():
                item.answer.set_result(Answered(answers[rows], start - item.since, seconds))

    async def _fail(self, batch: list[_Waiting], error: Exception) -> None:
        """One poisoned picture fails alone: a failed batch is tried again one request at a time."""
        if len(batch) > 1:
            for item in batch:
                await self._answer([item])
        elif not batch[0].answer.cancelled():
            batch[0].answer.set_exception(error)

    async def _run(self, inputs: Pixels) -> Answers:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._classify, inputs)
