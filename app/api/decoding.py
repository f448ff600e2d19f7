"""Where files are decoded: at once, in a thread, or in a process that can be stopped."""

from collections.abc import Iterator, Sequence
from typing import Any

from anyio import CapacityLimiter, to_thread

from app import imaging
from app.api.errors import Busy, DeadlinePassed, TooLarge
from app.api.request import RequestContext
from app.imaging.sandbox import Cost, DecoderPool, Job, cost
from app.limits import Limits


class DecodeService:
    """Decodes for all requests; in as many processes of the `pool` at a time as there are `cores`."""

    def __init__(self, pool: DecoderPool, limits: Limits, cores: int) -> None:
        self._pool, self._max_bytes = pool, limits.max_upload_bytes
        self._limiter = CapacityLimiter(cores)

    async def __call__(self, job: Job, files: list[bytes], context: RequestContext) -> list[Any]:
        """What `job` makes of each file, or its error: where it can be stopped if it may be much, else in a thread.

        A single tiny one is decoded at once: the way to a thread would take longer.
        """
        glances = list(map(imaging.glance, files))
        costs = list(map(cost, glances))
        if costs == [Cost.TINY]:
            return self._here(job, glances)
        context.watch()
        much = [at for at in range(len(files)) if costs[at] is Cost.UNKNOWN and len(files[at]) <= self._max_bytes]
        little = [at for at in range(len(files)) if at not in much]
        made = dict(zip(much, await self._sandboxed(job, [files[at] for at in much], context), strict=True))
        if little:
            made |= zip(little, await to_thread.run_sync(self._here, job, [glances[at] for at in little]), strict=True)
        return [made[at] for at in range(len(files))]

    def _here(self, job: Job, glances: Sequence[imaging.Glance]) -> list[Any]:
        made: list[Any] = []
        for file in glances:
            try:
                if len(file.data) > self._max_bytes:
                    raise TooLarge(f"The picture has more than {self._max_bytes:,} bytes.")
                result = job(file.open(self._pool.limits))
                made.append(list(result) if isinstance(result, Iterator) else result)
            except (imaging.PictureError, TooLarge) as error:
                made.append(error)
        return made

    async def _sandboxed(self, job: Job, files: list[bytes], context: RequestContext) -> list[Any]:
        if not files:
            return []
        try:
            return await to_thread.run_sync(self._pool, job, files, context.is_over, limiter=self._limiter)
        except TimeoutError as late:
            raise DeadlinePassed from late
        except OSError as error:
            raise Busy("The service has no room for a decoder now; try again shortly.") from error
