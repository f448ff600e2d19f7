"""Files out of a multipart body, through python-multipart's own parser fed directly: nothing touches the disk."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from app.api.errors import Malformed, TooLarge

PLAIN = re.compile(rb'form-data; name="([^"\\]*)"(; filename="[^"\\]*")?')  # as nearly everybody writes it
FIELDS_BESIDE = 16  # parts that are no files; nobody needs more


@dataclass(slots=True)
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""
    content: list[memoryview] = field(default_factory=list)


def is_multipart(content_type: str) -> bool:
    return content_type.split(";", maxsplit=1)[0].strip().lower() == "multipart/form-data"


def files(body: bytes, content_type: str, field_name: str, max_files: int) -> list[bytes]:
    """The contents of every part called `field_name`, in order. Raises Malformed or TooLarge."""
    boundary = _boundary(content_type)
    if not boundary:
        raise Malformed("The multipart body names no boundary.")
    parts = _parse(body, boundary, max_files)
    chosen = [part for part in parts if _field(part) == field_name.encode()]
    return [b"".join(part.content) for part in chosen]


@lru_cache(maxsize=1024)  # a client that keeps its connection keeps its boundary
def _boundary(content_type: str) -> bytes | None:
    return parse_options_header(content_type)[1].get(b"boundary")


def _parse(body: bytes, boundary: bytes, max_files: int) -> list[_Part]:
    parts: list[_Part] = []
    view = memoryview(body)

    def begin() -> None:
        if len(parts) == max_files + FIELDS_BESIDE:
            raise TooLarge(f"The form has more than {max_files} files.")
        parts.append(_Part())

    def header_name(data: bytes, start: int, end: int) -> None:
        parts[-1].name += data[start:end]

    def header_value(data: bytes, start: int, end: int) -> None:
        parts[-1].value += data[start:end]

    def header_end() -> None:
        part = parts[-1]
        part.headers[part.name.lower()], part.name, part.value = part.value, b"", b""

    def content(data: bytes, start: int, end: int) -> None:
        parts[-1].content.append(view[start:end])

    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": begin,
                "on_header_field": header_name,
                "on_header_value": header_value,
                "on_header_end": header_end,
                "on_part_data": content,
            },
        )
        parser.write(body)
    except FormParserError as error:
        raise Malformed("The multipart body is malformed.") from error
    if parser.state != MultipartState.END:
        raise Malformed("The multipart body is cut short.")
    return parts


def _field(part: _Part) -> bytes | None:
    disposition = part.headers.get(b"content-disposition", b"")
    if plain := PLAIN.fullmatch(disposition):
        return plain[1]
    return parse_options_header(disposition)[1].get(b"name")
