"""What the routes share: the bundle at work, the limits, and whether we are leaving."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic, perf_counter

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app import imaging
from app.api.errors import NoEvidence, TooLarge
from app.api.limits import Budget, Limits, Timing, Visit
from app.api.metrics import Metrics
from app.imaging import Header, Picture, PictureError, Pixels, Unread, to_input
from app.model.batching import Answered, Batcher
from app.model.bundle import Bundle
from app.model.classifier import ENOUGH, Answers, Floats, mean
from app.model.verdict import verdict

TOGETHER, TOGETHER_BYTES = 64, 2**20  # most files and bytes of a batch that one thread decodes in one go


Seen = tuple[Pixels, Header | None]


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
            picture = await self._picture(data, visit.timing, ENOUGH * batcher.size)
            answered = await self._judge(batcher, to_input(picture, batcher.size), visit.timing)
            return self._prediction(batcher, answered.answers, picture.header)

    async def predict_frames(self, data: bytes, visit: Visit) -> dict[str, object]:
        """The prediction from the mean over all frames, and that of each. Raises what `predict` raises."""
        batcher = self._batcher(visit)
        with batcher.place():
            start = perf_counter()
            inputs, header = await run_in_threadpool(self._frames, data, batcher.size)
            visit.timing.decode = perf_counter() - start
            answered = await asyncio.gather(*(self._judge(batcher, frame, visit.timing) for frame in inputs))
        each = [item.answers for item in answered]
        alone = [verdict(batcher.bundle.manifest, answers) for answers in each]
        frames = [{name: told for name, told in frame.items() if name != "model"} for frame in alone]
        return self._prediction(batcher, mean(each), header) | {"frames": frames}

    async def explain(self, data: bytes, visit: Visit) -> Explanation:
        """The prediction for one encoded picture, and what in the picture led to it. Raises what `predict` raises."""
        batcher = self._batcher(visit)
        with batcher.place():
            picture = await self._picture(data, visit.timing)
            answered = await self._judge(batcher, to_input(picture, batcher.size), visit.timing)
        if answered.answers.evidence is None:
            raise NoEvidence("The model in use gives no evidence to explain with.")
        told = self._prediction(batcher, answered.answers, picture.header)
        classes = batcher.bundle.manifest.classes
        return Explanation(told, answered.answers.evidence[0], classes, picture)

    async def predict_all(self, files: list[bytes], visit: Visit) -> list[dict[str, object] | Exception]:
        """A prediction or its own error for each file, in order. Raises QueueFull."""
        batcher = self._batcher(visit)
        with batcher.place():
            parts = await asyncio.gather(*(self._part(batcher, part, visit.timing) for part in _parts(files)))
        return [answer for part in parts for answer in part]

    def _batcher(self, visit: Visit) -> Batcher:
        """The one that answers this request from here on, should another bundle take over meanwhile."""
        visit.request.scope["model_version"] = self.bundle.manifest.version
        return self.batcher

    async def _part(self, batcher: Batcher, files: list[bytes], timing: Timing) -> list[dict[str, object] | Exception]:
        start = perf_counter()
        decoded = await run_in_threadpool(self._inputs, files, batcher.size)
        timing.decode = max(timing.decode, perf_counter() - start)
        return await asyncio.gather(*(self._entry(batcher, item, timing) for item in decoded))

    async def _entry(self, batcher: Batcher, item: Seen | Exception, timing: Timing) -> dict[str, object] | Exception:
        if isinstance(item, Exception):
            return item
        pixels, header = item
        try:
            return self._prediction(batcher, (await self._judge(batcher, pixels, timing)).answers, header)
        except Exception as error:  # whatever the backend makes of one picture harms no other
            return error

    async def _picture(self, data: bytes, timing: Timing, at_least: int | None = None) -> Picture:
        """Decoded here where that takes no time worth a thread, else in a thread."""
        start = perf_counter()
        unread = self._open(data)
        picture = unread.read(at_least) if unread.light else await run_in_threadpool(unread.read, at_least)
        timing.decode = perf_counter() - start
        return picture

    def _inputs(self, files: list[bytes], size: int) -> list[Seen | Exception]:
        inputs: list[Seen | Exception] = []
        for data in files:
            try:
                picture = self._open(data).read(ENOUGH * size)
                inputs.append((to_input(picture, size), picture.header))
            except (PictureError, TooLarge) as error:
                inputs.append(error)
        return inputs

    def _frames(self, data: bytes, size: int) -> tuple[list[Pixels], Header | None]:
        unread = self._open(data)
        frames = [(to_input(picture, size), picture.header) for picture in unread.frames()]
        return [pixels for pixels, _ in frames], frames[len(frames) // 2][1]

    def _open(self, data: bytes) -> Unread:
        if len(data) > self.limits.max_upload_bytes:
            raise TooLarge(f"The picture has more than {self.limits.max_upload_bytes:,} bytes.")
        return imaging.open(data, max_pixels=self.limits.max_pixels, max_frames=self.limits.max_frames)

    async def _judge(self, batcher: Batcher, inputs: Pixels, timing: Timing) -> Answered:
        answered = await batcher(inputs)
        timing.queue = max(timing.queue, answered.queue_seconds)
        timing.infer = max(timing.infer, answered.infer_seconds)
        return answered

    def _prediction(self, batcher: Batcher, answers: Answers, header: Header | None) -> dict[str, object]:
        answer = verdict(batcher.bundle.manifest, answers, header=header)
        self.metrics.judged(answer)
        return answer


def _parts(files: list[bytes]) -> list[list[bytes]]:
    """Small files by the dozen, large ones alone: threads help where Pillow works, and only wait where Python does."""
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
