"""What the routes share: the bundle at work, the limits, and whether we are leaving."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from fastapi import Request

from app import imaging
from app.api.decoding import DecodeService
from app.api.errors import NoEvidence
from app.api.limits import Budget, Limits, Timing, Visit
from app.api.metrics import Metrics
from app.imaging import Header, ModelInput, Picture, Pixels, to_input
from app.imaging.preview import thumbnail
from app.imaging.sandbox import Job
from app.model.batching import Batcher
from app.model.bundle import Bundle
from app.model.classifier import Answers, Floats, mean
from app.model.verdict import verdict

TOGETHER, TOGETHER_BYTES = 64, 2**20  # most files and bytes of a batch that go to a decoder in one go


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction and the evidence it came from."""

    prediction: dict[str, object]
    evidence: Floats  # (h, w, classes)
    classes: list[str]
    picture: Picture


@dataclass(slots=True)
class Service:
    """The running service, without its HTTP."""

    batcher: Batcher
    limits: Limits
    metrics: Metrics
    budget: Budget
    decoding: DecodeService
    draining: bool = False
    started: float = field(default_factory=monotonic)

    @property
    def bundle(self) -> Bundle:
        return self.batcher.bundle

    def visit(self, request: Request) -> Visit:
        """What an admitted request may take."""
        return Visit(request, self.limits, self.budget)

    async def predict(self, data: bytes, visit: Visit) -> dict[str, object]:
        """The prediction for one encoded picture. Raises PictureError, TooLarge or QueueFull."""
        batcher = self._batcher(visit)
        with batcher.place():
            pixels, header = await self._picture(partial(imaging.read_input, size=batcher.size), data, visit)
            [answers] = await self._sound(batcher, pixels[np.newaxis], visit.timing)
            return self._prediction(batcher, answers, header)

    async def predict_frames(self, data: bytes, visit: Visit) -> dict[str, object]:
        """The prediction from the mean over all frames, and that of each. Raises what `predict` raises."""
        batcher = self._batcher(visit)
        with batcher.place():
            seen = await self._picture(partial(imaging.read_frames, size=batcher.size), data, visit)
            each = await self._sound(batcher, np.stack([pixels for pixels, _ in seen]), visit.timing)
        alone = [verdict(batcher.bundle.manifest, answers) for answers in each]
        frames = [{name: told for name, told in frame.items() if name != "model"} for frame in alone]
        return self._prediction(batcher, mean(each), seen[len(seen) // 2][1]) | {"frames": frames}

    async def explain(self, data: bytes, visit: Visit) -> Explanation:
        """The prediction for one encoded picture, and what in the picture led to it. Raises what `predict` raises."""
        batcher = self._batcher(visit)
        with batcher.place():
            picture = await self._picture(methodcaller("read"), data, visit)
            [answers] = await self._sound(batcher, to_input(picture, batcher.size)[np.newaxis], visit.timing)
        if answers.evidence is None:
            raise NoEvidence("The model in use gives no evidence to explain with.")
        told = self._prediction(batcher, answers, picture.header)
        return Explanation(told, answers.evidence[0], batcher.bundle.manifest.classes, picture)

    async def preview(self, data: bytes, visit: Visit) -> bytes:
        """A small PNG of one encoded picture. Raises what `predict` raises."""
        with self._batcher(visit).place():
            png: bytes = await self._picture(thumbnail, data, visit)
        return png

    async def predict_all(self, files: list[bytes], visit: Visit) -> list[dict[str, object] | Exception]:
        """A prediction or its own error for each file, in order. Raises QueueFull."""
        batcher = self._batcher(visit)
        with batcher.place():
            parts = await asyncio.gather(*(self._part(batcher, part, visit) for part in _parts(files)))
        return [answer for part in parts for answer in part]

    async def predict_pixels(self, inputs: Pixels, visit: Visit) -> list[dict[str, object] | Exception]:
        """A prediction or its own error for each picture as the model takes it, (n, size, size, 1). Raises QueueFull."""
        batcher = self._batcher(visit)
        visit.watch()
        with batcher.place():
            return await self._entries(batcher, [(pixels, None) for pixels in inputs], visit.timing)

    def _batcher(self, visit: Visit) -> Batcher:
        """The one that answers this request from here on, should another bundle take over meanwhile."""
        visit.request.scope["model_version"] = self.bundle.manifest.version
        return self.batcher

    async def _part(self, batcher: Batcher, files: list[bytes], visit: Visit) -> list[dict[str, object] | Exception]:
        start = perf_counter()
        items = await self.decoding(partial(imaging.read_input, size=batcher.size), files, visit)
        visit.timing.decode = max(visit.timing.decode, perf_counter() - start)
        return await self._entries(batcher, items, visit.timing)

    async def _entries(
        self, batcher: Batcher, items: Sequence[ModelInput | Exception], timing: Timing
    ) -> list[dict[str, object] | Exception]:
        """A prediction for each that could be read; whatever the model makes of one picture harms no other."""
        seen = [item for item in items if not isinstance(item, Exception)]
        rows = await self._judge(batcher, np.stack([pixels for pixels, _ in seen]), timing) if seen else []
        told = (
            row if isinstance(row, Exception) else self._prediction(batcher, row, header)
            for row, (_, header) in zip(rows, seen, strict=True)
        )
        return [item if isinstance(item, Exception) else next(told) for item in items]

    async def _picture(self, job: Job, data: bytes, visit: Visit) -> Any:
        """What `job` makes of one file. Raises PictureError or TooLarge."""
        start = perf_counter()
        [made] = await self.decoding(job, [data], visit)
        visit.timing.decode = perf_counter() - start
        if isinstance(made, Exception):
            raise made
        return made

    async def _sound(self, batcher: Batcher, inputs: Pixels, timing: Timing) -> list[Answers]:
        """An answer for every picture, or the first error."""
        rows = await self._judge(batcher, inputs, timing)
        for row in rows:
            if isinstance(row, Exception):
                raise row
        return rows  # type: ignore[return-value]

    async def _judge(self, batcher: Batcher, inputs: Pixels, timing: Timing) -> list[Answers | Exception]:
        answered = await batcher(inputs)
        timing.queue = max(timing.queue, answered.queue_seconds)
        timing.infer = max(timing.infer, answered.infer_seconds)
        return answered.rows

    def _prediction(self, batcher: Batcher, answers: Answers, header: Header | None) -> dict[str, object]:
        answer = verdict(batcher.bundle.manifest, answers, header=header)
        self.metrics.judged(answer)
        return answer


def _parts(files: list[bytes]) -> list[list[bytes]]:
    """Small files by the dozen, large ones alone."""
    parts: list[list[bytes]] = []
    room = 0
    for data in files:
        if not parts or len(parts[-1]) == TOGETHER or len(data) > room:
            parts.append([])
            room = TOGETHER_BYTES
        parts[-1].append(data)
        room -= len(data)
    return parts


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
