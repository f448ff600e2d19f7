"""Where files are decoded: at once, in a thread, or in a process that can be stopped."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread

from app import imaging
from app.api.errors import Busy, DeadlinePassed, TooLarge
from app.api.request import RequestContext
from app.imaging import PictureError, Work
from app.imaging.sandbox import Decoders, Job, Open
from app.limits import Limits


class Decoding:
    """Decodes for all requests; with as many `decoders` at a time as there are `cores`."""

    def __init__(self, decoders: Decoders, limits: Limits, cores: int) -> None:
        self._decoders, self._limits = decoders, limits
        self._limiter = CapacityLimiter(cores)

    async def __call__(self, job: Job, files: list[bytes], context: RequestContext) -> list[Any]:
        """What `job` makes of each file, or its error: where it can be stopped if it may be much, else in a thread.

        A single tiny one is decoded at once: the way to a thread would take longer.
        """
        work = [imaging.work(data) for data in files]
        if work == [Work.TINY]:
            return self._here(job, files)
        context.watch()
        much = {at for at, data in enumerate(files) if work[at] is Work.UNKNOWN and self._fits(data)}
        little = [at for at in range(len(files)) if at not in much]
        made = dict(zip(much, await self._sandboxed(job, [files[at] for at in much], context), strict=True))
        if little:
            made |= zip(little, await to_thread.run_sync(self._here, job, [files[at] for at in little]), strict=True)
        return [made[at] for at in range(len(files))]

    def _here(self, job: Job, files: list[bytes]) -> list[Any]:
        made: list[Any] = []
        for data in files:
            try:
                result = job(self._open(data)) if self._fits(data) else self._too_large()
                made.append(list(result) if isinstance(result, Iterator) else result)
            except PictureError as error:
                made.append(error)
        return made

    async def _sandboxed(self, job: Job, files: list[bytes], context: RequestContext) -> list[Any]:
        if not files:
            return []
        try:
            work = partial(self._decoders, self._open, job, files, context.is_over)
            return await to_thread.run_sync(work, limiter=self._limiter)
        except TimeoutError as late:
            raise DeadlinePassed from late
        except OSError as error:
            raise Busy("The service has no room for a decoder now; try again shortly.") from error

    @property
    def _open(self) -> Open:
        return partial(imaging.open, max_pixels=self._limits.max_pixels, max_frames=self._limits.max_frames)

    def _fits(self, data: bytes) -> bool:
        return len(data) <= self._limits.max_upload_bytes

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The picture has more than {self._limits.max_upload_bytes:,} bytes.")
