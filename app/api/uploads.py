"""The pictures a request brings, as a form or as its bare body."""

from app.api import forms
from app.api.errors import Malformed, NoPicture, TooLarge
from app.api.limits import Visit

FORM_OVERHEAD = 64 * 1024  # boundaries, part headers and a few fields beside the picture


async def one_file(visit: Visit) -> bytes:
    """The picture of a form's field `file`, or the whole body. Raises what `Visit.body` and `forms` raise, or NoPicture."""
    content_type, most = visit.request.headers.get("content-type", ""), visit.limits.max_upload_bytes
    if not forms.is_multipart(content_type):
        return await visit.body(most)
    files = forms.files(await visit.body(most + FORM_OVERHEAD), content_type, "file", 1)
    if len(files) != 1:
        raise NoPicture("The form needs exactly one field called file.")
    return files[0]


async def many_files(visit: Visit) -> list[bytes]:
    """The pictures of a form's fields `files`, in order. Raises what `Visit.body` and `forms` raise, or NoPicture."""
    content_type, most = visit.request.headers.get("content-type", ""), visit.limits.max_batch_files
    if not forms.is_multipart(content_type):
        raise Malformed("A batch is a multipart form with a field called files for each picture.")
    files = forms.files(await visit.body(visit.limits.max_request_bytes), content_type, "files", most)
    if not files:
        raise NoPicture("The form has no field called files.")
    if len(files) > most:
        raise TooLarge(f"The form has more than {most} files.")
    return files
