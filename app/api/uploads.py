"""The pictures a request brings, as a form or as its bare body, within its limits and its deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from app.api import forms
from app.api.errors import DeadlinePassed, Malformed, NoPicture, TooLarge
from app.api.limits import receive

FORM_OVERHEAD = 64 * 1024  # boundaries, part headers and a few fields beside the picture


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for."""

    max_upload_bytes: int
    max_request_bytes: int
    max_batch_files: int
    max_pixels: int
    timeout_seconds: float


def deadline(limits: Limits) -> float:
    """When a request that starts now must be answered, by the event loop's clock."""
    return asyncio.get_running_loop().time() + limits.timeout_seconds


async def one_file(request: Request, limits: Limits, deadline: float) -> bytes:
    """The picture of a form's field `file`, or the whole body. Raises what `receive` and `forms` raise, or NoPicture."""
    content_type = request.headers.get("content-type", "")
    if not forms.is_multipart(content_type):
        return await receive(request, limits.max_upload_bytes, deadline)
    body = await receive(request, limits.max_upload_bytes + FORM_OVERHEAD, deadline)
    files = forms.files(body, content_type, "file", 1)
    if len(files) != 1:
        raise NoPicture("The form needs exactly one field called file.")
    return files[0]


async def many_files(request: Request, limits: Limits, deadline: float) -> list[bytes]:
    """The pictures of a form's fields `files`, in order. Raises what `receive` and `forms` raise, or NoPicture."""
    content_type = request.headers.get("content-type", "")
    if not forms.is_multipart(content_type):
        raise Malformed("A batch is a multipart form with a field called files for each picture.")
    most = limits.max_batch_files
    body = await receive(request, limits.max_request_bytes, deadline)
    files = forms.files(body, content_type, "files", most)
    if not files:
        raise NoPicture("The form has no field called files.")
    if len(files) > most:
        raise TooLarge(f"The form has more than {most} files.")
    return files


@asynccontextmanager
async def until(deadline: float) -> AsyncIterator[None]:
    """Give up at `deadline` with a 504."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise DeadlinePassed("The answer was not ready in time.") from error
