"""Multipart forms that are broken or meant to exhaust, and odd names of files."""

import time

import httpx2
import pytest

from tests.hostile.wire import FORM, GENEROUS_SECONDS, GET, MARKER, exchange, last, statuses
from tests.running import Server

END = b"--x--\r\n"


def part(name: bytes = b"file", content: bytes = b"", headers: bytes = b"") -> bytes:
    return b'--x\r\ncontent-disposition: form-data; name="' + name + b'"\r\n' + headers + b"\r\n" + content + b"\r\n"


FORMS = {
    "no boundary": (b"multipart/form-data", part() + END, 400),
    "an empty boundary": (b"multipart/form-data; boundary=", part() + END, 400),
    "another boundary": (b"multipart/form-data; boundary=M4RKER", part() + END, 400),
    "a boundary of 20 kB": (FORM + b"x" * 20_000, part() + END, 400),
    "a boundary of bytes": (b'multipart/form-data; boundary="\xff\xfe"', part() + END, 400),
    "no end": (FORM, part(), 400),
    "no line end in a header": (FORM, b"--x\r\ncontent-disposition: M4RKER", 400),
    "thousands of parts": (FORM, part(content=b"M4RKER") * 8000 + END, 413),
    "thousands of empty parts": (FORM, b"--x\r\n\r\n\r\n" * 80_000 + END, 413),
    "two files": (FORM, part() * 2 + END, 422),
    "thousands of headers in a part": (FORM, part(headers=b"x-a: M4RKER\r\n" * 10_000) + END, 400),
    "a huge header in a part": (FORM, part(headers=b"x-a: " + b"M4RKER" * 100_000 + b"\r\n") + END, 400),
    "a huge header name in a part": (FORM, part(headers=b"M4RKER" * 100_000 + b": a\r\n") + END, 400),
    "a huge field name": (FORM, part(b"M4RKER" * 100_000) + END, 400),
    "a file name of 10 kB": (FORM, part(b'file"; filename="' + b"M4RKER" * 1700) + END, 400),
    "a part inside a part": (FORM, part(headers=b"content-type: " + FORM + b"\r\n", content=part()) + END, 415),
    "a preamble of dashes": (FORM, b"-" * 900_000, 400),
    "an epilogue": (FORM, part(content=b"M4RKER") + END + b"\r" * 900_000, 415),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_hostile_form_is_refused_and_its_connection_goes_on(target: Server, case: str) -> None:
    content_type, content, status = FORMS[case]
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    started = time.monotonic()
    received = exchange(target, head % (content_type, len(content)) + content, last(GET))
    assert time.monotonic() - started < GENEROUS_SECONDS
    assert statuses(received) in ([status, 200], [status])
    assert received.startswith(b"HTTP/1.1 %d" % status)
    assert MARKER not in received


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/M4RKER",
        "C:\\M4RKER\\..\\nul",
        "M4RKER\0.png",
        "M4RKER" * 600,
        'M4RKER";name="other',
        "\u202egnp.M4RKER\u2066",
        "M4RKER\nHTTP/1.1 500 forged",
        "M4RKER\x1b[31m",
        "%0d%0aM4RKER: %s%n{0}${jndi:ldap://x}",
        "",
    ],
)
def test_an_odd_file_name_changes_nothing(normal: httpx2.Client, hand: bytes, name: str) -> None:
    plain = normal.post("/predict", content=hand).json()
    head = f'--x\r\ncontent-disposition: form-data; name="file"; filename*=utf-8\'\'M4RKER; filename="{name}"\r\n\r\n'
    raw = normal.post(
        "/predict", content=head.encode() + hand + b"\r\n--x--\r\n", headers={"content-type": FORM.decode()}
    )
    named = normal.post("/predict", files={"file": (name or "M4RKER", hand)})
    assert named.json() == plain
    assert MARKER.decode() not in raw.text + str(raw.headers)
    if "\n" in name or "\0" in name or '"' in name:  # unescaped, they are no form
        assert raw.status_code in {200, 400, 422}
    else:
        assert raw.json() == plain
