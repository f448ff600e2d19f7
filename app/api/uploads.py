"""The pictures a request brings, as a form or as its bare body: nothing touches the disk.

Forms go through python-multipart's own parser, fed directly.
"""

import re
from functools import lru_cache, partial
from itertools import pairwise

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from app.api.errors import Malformed, TooLarge, Unusable
from app.api.request import RequestContext, Upload

FORM_OVERHEAD = 64 * 1024  # boundaries, part headers and a few fields beside the picture
BEGIN, NAME, VALUE, DATA = "part_begin", "header_field", "header_value", "part_data"  # of the parser's callbacks
FIELDS_BESIDE = 16  # parts that are no files; nobody needs more
PLAIN_FILE = re.compile(rb'form-data; name="([^"\\]*)"(; filename="[^"\\]*")?')  # as nearly everybody writes it

Part = list[tuple[str, memoryview]]  # names and values of its headers and its data, in order


async def one_file(context: RequestContext) -> bytes:
    """The picture of a form's field `file`, or the whole body. Raises what `receive_body` does, Malformed or Unusable."""
    boundary, most = _boundary(context.headers.get("content-type", "")), context.limits.max_upload_bytes
    if boundary is None:
        context.uploads = [(await context.receive_body(most), "")]
    else:
        context.uploads = _files(await context.receive_body(most, FORM_OVERHEAD), boundary, "file", 1)
    if len(context.uploads) != 1:
        raise Unusable("The form needs exactly one field called file.")
    return context.uploads[0][0]


async def many_files(context: RequestContext) -> list[bytes]:
    """The pictures of a form's fields `files`, in order. Raises what `one_file` raises, or TooLarge."""
    boundary, most = _boundary(context.headers.get("content-type", "")), context.limits.max_batch_files
    if boundary is None:
        raise Malformed("A batch is a multipart form with a field called files for each picture.")
    context.uploads = _files(await context.receive_body(context.limits.max_request_bytes), boundary, "files", most)
    if not context.uploads:
        raise Unusable("The form has no field called files.")
    if len(context.uploads) > most:
        raise TooLarge(f"The form has more than {most} files.")
    return [data for data, _ in context.uploads]


@lru_cache(maxsize=1024)  # a client that keeps its connection keeps its boundary
def _boundary(content_type: str) -> bytes | None:
    """Of a form; empty where it names none, None where it is no form."""
    if content_type.split(";", maxsplit=1)[0].strip().lower() != "multipart/form-data":
        return None
    return parse_options_header(content_type)[1].get(b"boundary", b"")


def _files(body: bytes, boundary: bytes, field: str, max_files: int) -> list[Upload]:
    """Every part called `field`, in order. Raises Malformed or TooLarge."""
    if not boundary:
        raise Malformed("The multipart body names no boundary.")
    start = body.find(b"--" + boundary)
    if start < 0 or body[max(start - 1, 0) : start] not in (b"", b"\n"):
        raise Malformed("The multipart body has no line with its boundary.")
    parts = _parse(body[start:], boundary, max_files)  # what comes before is a preamble, RFC 2046 5.1.1
    found: list[Upload] = []
    for part in parts:
        name, is_file = _disposition(part)
        if name == field.encode():
            found.append((b"".join(data for kind, data in part if kind == DATA), "" if is_file else field))
    return found


def _parse(body: bytes, boundary: bytes, max_files: int) -> list[Part]:
    parts: list[Part] = []
    view = memoryview(body)

    def note(kind: str, data: bytes = b"", start: int = 0, end: int = 0) -> None:
        if kind != BEGIN:
            parts[-1].append((kind, view[start:end]))
        elif len(parts) == max_files + FIELDS_BESIDE:
            raise TooLarge(f"The form has more than {max_files} files.")
        else:
            parts.append([])

    kinds = BEGIN, NAME, VALUE, DATA
    try:
        parser = MultipartParser(boundary, {f"on_{kind}": partial(note, kind) for kind in kinds})  # type: ignore[arg-type]
        if body[len(boundary) + 2 : len(boundary) + 3] in (b" ", b"\t"):  # legal, but let pass behind another part only
            parser.state = MultipartState.PART_DATA
            parser.write(b"\r\n")
        parser.write(body)
    except FormParserError as error:
        raise Malformed("The multipart body is malformed.") from error
    if parser.state != MultipartState.END:
        raise Malformed("The multipart body is cut short.")
    return parts


def _disposition(part: Part) -> tuple[bytes | None, bool]:
    """The name in its Content-Disposition, and whether a file's name is there too."""
    for (kind, name), (then, value) in pairwise(part):
        if (kind, then) == (NAME, VALUE) and bytes(name).lower() == b"content-disposition":
            header = bytes(value)
            plain = PLAIN_FILE.fullmatch(header)
            return plain[1] if plain else parse_options_header(header)[1].get(b"name"), b"filename" in header
    return None, False
