"""What the routes share: the bundle in use, the queue in front of it, the limits, and whether we are leaving."""

from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Annotated

import numpy as np
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from app.api.errors import Busy, NoEvidence, TooLarge
from app.api.metrics import Metrics
from app.api.schemas import prediction
from app.api.uploads import Limits
from app.imaging import Picture, PictureError, Pixels, decode, to_input
from app.model.batching import Batcher
from app.model.bundle import Bundle
from app.model.classifier import Floats


@dataclass(slots=True)
class Timing:
    """Seconds one request spent in each stage."""

    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0

    def header(self) -> str:
        stages = {"decode": self.decode, "queue": self.queue, "infer": self.infer}
        return ", ".join(f"{name};dur={seconds * 1e3:.2f}" for name, seconds in stages.items())


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction and the evidence it came from."""

    prediction: dict[str, object]
    evidence: Floats  # (h, w, classes)
    picture: Picture
    timing: Timing


@dataclass(slots=True)
class Service:
    """The running service, without its HTTP."""

    bundle: Bundle
    batcher: Batcher
    limits: Limits
    metrics: Metrics
    draining: bool = False
    started: float = field(default_factory=monotonic)

    def admit(self) -> None:
        """Refuse while a refusal is still cheap: before the body is read."""
        if self.batcher.full:
            raise Busy("As many pictures wait as may wait; try again shortly.")

    async def predict(self, data: bytes) -> tuple[dict[str, object], Timing]:
        """The prediction for one encoded picture. Raises PictureError or QueueFull."""
        [answer], timing = await self.predict_all([data])
        if isinstance(answer, Exception):
            raise answer
        return answer, timing

    async def explain(self, data: bytes) -> Explanation:
        """The prediction for one encoded picture, and what in the picture led to it. Raises what `predict` raises."""
        picture = await run_in_threadpool(self._decode, data)
        inputs = to_input(picture, self.bundle.manifest.input.size)
        answered = await self.batcher(inputs[np.newaxis])
        answers, timing = answered.answers, Timing(0, answered.queue_seconds, answered.infer_seconds)
        if answers.evidence is None:
            raise NoEvidence("The model in use gives no evidence to explain with.")
        return Explanation(prediction(self.bundle.manifest, answers, 0), answers.evidence[0], picture, timing)

    async def predict_all(self, files: list[bytes]) -> tuple[list[dict[str, object] | Exception], Timing]:
        """A prediction or its own error for each file, in order, in one pass through the queue."""
        start = perf_counter()
        decoded = [await run_in_threadpool(self._input, data) for data in files]
        timing = Timing(decode=perf_counter() - start)
        inputs = [pixels for pixels in decoded if not isinstance(pixels, Exception)]
        rows = iter(await self._rows(inputs, timing)) if inputs else iter(())
        self._observe(timing)
        return [item if isinstance(item, Exception) else next(rows) for item in decoded], timing

    def _decode(self, data: bytes) -> Picture:
        if len(data) > self.limits.max_upload_bytes:
            raise TooLarge(f"The picture has more than {self.limits.max_upload_bytes:,} bytes.")
        return decode(data, max_pixels=self.limits.max_pixels)

    def _input(self, data: bytes) -> Pixels | Exception:
        try:
            return to_input(self._decode(data), self.bundle.manifest.input.size)
        except (PictureError, TooLarge) as error:
            return error

    async def _rows(self, inputs: list[Pixels], timing: Timing) -> list[dict[str, object]]:
        answered = await self.batcher(np.stack(inputs))
        timing.queue, timing.infer = answered.queue_seconds, answered.infer_seconds
        predictions = [prediction(self.bundle.manifest, answered.answers, row) for row in range(len(inputs))]
        for answer in predictions:
            self.metrics.predictions.labels(answer["label"] or "none").inc()
        return predictions

    def _observe(self, timing: Timing) -> None:
        for stage in ("decode", "queue", "infer"):
            self.metrics.stage.labels(stage).observe(getattr(timing, stage))


def _of_app(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_of_app)]
