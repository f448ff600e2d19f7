"""The running service without its HTTP: the bundle at work, where pictures are decoded, and whether we are leaving."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import numpy as np
from anyio import to_thread
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from app import imaging
from app.api.decoding import DecodeService
from app.api.errors import Unusable
from app.api.hints import hinted
from app.api.metrics import Metrics
from app.api.request import CURRENT, RequestContext, Timing
from app.api.series import Series, told
from app.imaging import Header, Instance, ModelInput, Picture, PictureError, Pixels, to_input
from app.imaging.preview import thumbnail
from app.imaging.sandbox import Job
from app.model import prediction
from app.model.batching import Batcher
from app.model.bundle import Bundle
from app.model.classifier import Floats, Outputs, joined
from app.model.prediction import Prediction

PART_FILES, PART_BYTES = 64, 2**20  # most files and bytes of a batch that go to a decoder in one go

# Errors of one file are values, so that they harm no other.
Read = ModelInput | Exception
Found = Prediction | Exception
Judged = tuple[Found, Instance | None]  # and what a DICOM says that it is


@dataclass(slots=True)
class Service:
    """Every method raises PictureError, TooLarge, or what decoding raises where there is no room or time for it."""

    batcher: Batcher
    decode: DecodeService
    metrics: Metrics
    draining: bool = False
    started: float = field(default_factory=monotonic)

    @property
    def bundle(self) -> Bundle:
        return self.batcher.bundle

    async def predict(self, data: bytes, context: RequestContext) -> Prediction:
        """The prediction for one encoded picture."""
        batcher = self._batcher(context)
        pixels, header = await self._decode_one(partial(imaging.read_input, view=batcher.view), data, context)
        [outputs] = await batcher(pixels[np.newaxis], context.timing)
        return self._predict(batcher.bundle, outputs, header)

    async def predict_frames(self, data: bytes, context: RequestContext) -> Prediction:
        """The prediction from the mean over all frames, and that of each."""
        batcher = self._batcher(context)
        seen = await self._decode_one(partial(imaging.read_frames, view=batcher.view), data, context)
        outputs = await batcher(np.stack([pixels for pixels, _ in seen]), context.timing)
        together = joined([_sound(each) for each in outputs])
        found = prediction.predict_frames(batcher.bundle.manifest, together, seen[len(seen) // 2][1])
        self.metrics.count(found)
        return found

    async def explain(self, data: bytes, context: RequestContext) -> tuple[Prediction, Floats, Picture]:
        """The prediction for one encoded picture, the evidence it came from, (h, w, classes), and the picture as shown."""
        batcher = self._batcher(context)
        picture, seen = await self._decode_one(partial(imaging.read_both, view=batcher.view), data, context)
        [outputs] = await batcher(to_input(seen, batcher.view.size)[np.newaxis], context.timing)
        evidence = _sound(outputs).evidence
        if evidence is None:
            raise Unusable("The model in use gives no evidence to explain with.")
        return self._predict(batcher.bundle, outputs, picture.header), evidence[0], picture

    async def preview(self, data: bytes, context: RequestContext) -> bytes:
        """A small PNG of one encoded picture."""
        self._batcher(context)
        png: bytes = await self._decode_one(thumbnail, data, context)
        return png

    async def predict_all(self, files: list[bytes], context: RequestContext) -> list[Found]:
        """A prediction or its own error for each file, in order."""
        return [found for found, _ in await self._predict_all(self._batcher(context), files, context)]

    async def predict_series(self, files: list[bytes], context: RequestContext) -> tuple[list[Found], list[Series]]:
        """The same, and what the DICOMs of each series say together."""
        batcher = self._batcher(context)
        judged = await self._predict_all(batcher, files, context)
        series = await to_thread.run_sync(told, batcher.bundle.manifest, judged)  # 10 ms for 256 of one slice each
        return [found for found, _ in judged], series

    async def predict_pixels(self, inputs: Pixels, context: RequestContext) -> list[Found]:
        """A prediction or its own error for each picture as the model takes it, (n, size, size, 1), in order."""
        context.watch()
        return await self._predict_each(self._batcher(context), [(pixels, None) for pixels in inputs], context.timing)

    def _batcher(self, context: RequestContext) -> Batcher:
        """The one that answers this request from here on, should another bundle take over meanwhile."""
        context.model_version = self.batcher.bundle.manifest.version
        return self.batcher

    async def _decode_one(self, job: Job, data: bytes, context: RequestContext) -> Any:
        """What `job` makes of one file."""
        start = monotonic()
        [made] = await self.decode(job, [data], context)
        context.timing.decode = monotonic() - start
        return _sound(made)

    async def _predict_all(self, batcher: Batcher, files: list[bytes], context: RequestContext) -> list[Judged]:
        parts = await asyncio.gather(*(self._predict_part(batcher, part, context) for part in _parts(files)))
        return [judged for part in parts for judged in part]

    async def _predict_part(self, batcher: Batcher, files: list[bytes], context: RequestContext) -> list[Judged]:
        timing, start = Timing(), monotonic()
        made = await self.decode(partial(imaging.read_slice, view=batcher.view), files, context)
        timing.decode = monotonic() - start
        read = [(one, None) if isinstance(one, Exception) else one for one in made]
        found = await self._predict_each(batcher, [item for item, _ in read], timing)
        context.timing.cover(timing)
        return [(one, instance) for one, (_, instance) in zip(found, read, strict=True)]

    async def _predict_each(self, batcher: Batcher, items: Sequence[Read], timing: Timing) -> list[Found]:
        """A prediction for each that could be read; whatever the model makes of one picture harms no other."""
        seen = [item for item in items if not isinstance(item, Exception)]
        rows = await batcher(np.stack([pixels for pixels, _ in seen]), timing) if seen else []
        found = (
            row if isinstance(row, Exception) else self._predict(batcher.bundle, row, header)
            for row, (_, header) in zip(rows, seen, strict=True)
        )
        return [item if isinstance(item, Exception) else next(found) for item in items]

    def _predict(self, bundle: Bundle, outputs: Outputs | Exception, header: Header | None) -> Prediction:
        found = prediction.predict(bundle.manifest, _sound(outputs), header=header)
        self.metrics.count(found)
        return found


def _sound(made: Any) -> Any:
    """What was made, unless that is an error."""
    if isinstance(made, Exception):
        raise made
    return made


def _parts(files: list[bytes]) -> list[list[bytes]]:
    """Small files by the dozen, large ones alone."""
    parts: list[list[bytes]] = []
    room = 0
    for data in files:
        if not parts or len(parts[-1]) == PART_FILES or len(data) > room:
            parts.append([])
            room = PART_BYTES
        parts[-1].append(data)
        room -= len(data)
    return parts


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


class JudgingRoute(APIRoute):
    """Described like any other; the function behind a POST takes the request's context and returns the response.

    What FastAPI does for functions that take more is an eighth of the time of a lone small picture.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" or self.methods != {"POST"}:
            await super().handle(scope, receive, send)
            return
        async with CURRENT.get() as context:
            try:
                response = await self.endpoint(context)
            except PictureError as error:
                raise hinted(error, context) from None
        service_of(context).metrics.observe_stages(context.timing)
        response.raw_headers.append((b"server-timing", context.timing.header()))
        await response(scope, receive, send)
