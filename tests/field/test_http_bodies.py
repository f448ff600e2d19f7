"""Forms and encodings of bodies as other people's clients write them, by RFC 2046, 7578 and 9110."""

import httpx2
import pytest

from tests.app.asked import assert_problem

PART = b'Content-Disposition: form-data; name="file"; filename="hand.png"\r\nContent-Type: image/png\r\n'


def form(*, before: bytes = b"", part: bytes = PART, padding: bytes = b"", after: bytes = b"\r\n") -> bytes:
    """One with a picture still to come, and something unusual."""
    return before + b"--b1" + padding + b"\r\n" + part + b"\r\n%b\r\n--b1" + padding + b"--" + after


PLAIN = "multipart/form-data; boundary=b1"
FORMS = {
    "a preamble of an empty line, as many write": (PLAIN, form(before=b"\r\n")),
    "several empty lines": (PLAIN, form(before=b"\r\n\r\n\n")),
    "a preamble for people, RFC 2046 5.1.1": (PLAIN, form(before=b"This is a multi-part message in MIME format.\r\n")),
    "a preamble with dashes": (PLAIN, form(before=b"-- a note --\r\n--\r\n\r\n")),
    "a long preamble": (PLAIN, form(before=b"-- 0123456789 --\r\n" * 3000)),
    "an epilogue": (PLAIN, form(after=b"\r\nThat was all.\r\n--b1\r\n")),
    "no line end behind the last boundary": (PLAIN, form(after=b"")),
    "spaces behind the boundary, RFC 2046 5.1.1": (PLAIN, form().replace(b"--b1\r\n", b"--b1 \t\r\n")),
    "both": (PLAIN, form(before=b"for people\r\n").replace(b"--b1\r\n", b"--b1 \t\r\n")),
    ".NET: a quoted boundary and bare words": (
        'multipart/form-data; boundary="b1"',
        form(part=b"Content-Disposition: form-data; name=file; filename=hand.png; filename*=utf-8''hand.png\r\n"),
    ),
    "requests: a name beyond ASCII": (
        PLAIN,
        form(part=b"Content-Disposition: form-data; name=\"file\"; filename*=utf-8''h%%C3%%A4nd.png\r\n"),
    ),
    "Apache's HttpClient": ("Multipart/Form-Data; charset=UTF-8; Boundary=b1", form(part=PART + b"Content-Transfer-Encoding: binary\r\n")),
    "OkHttp": (PLAIN + "; charset=utf-8", form(part=PART + b"Content-Length: 2674\r\n")),
    "small letters and no type": (PLAIN, form(part=b'content-disposition:form-data;name="file"\r\n')),
    "no space in the type": ("multipart/form-data;boundary=b1", form()),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMS)
def test_a_form_is_read_as_programs_write_it(asking: httpx2.Client, hand: bytes, case: str) -> None:
    content_type, written = FORMS[case]
    content, headers = written % hand, {"content-type": content_type}
    answer = asking.post("/predict", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json() == asking.post("/predict", content=hand).json()
    several = asking.post("/predict/batch", content=content.replace(b"file", b"files", 1), headers=headers)
    assert [entry["label"] for entry in several.json()["results"]] == ["Hand"]


@pytest.mark.parametrize(
    "content",
    [
        b"for people" + form(),  # nothing says whether that is a boundary, and a part would be lost without a word
        b"\xef\xbb\xbf" + form(),  # a byte order mark, likewise
        b"for people\r\n" + form()[:-4],
        form(before=b"for people\r\n", padding=b" x"),
        form().replace(b"\r\n", b"\n"),
        b"for people\r\n" * 5000,
    ],
)
def test_a_form_that_cannot_be_read_in_one_way_is_refused(asking: httpx2.Client, hand: bytes, content: bytes) -> None:
    sent = content.replace(b"%b", hand)
    assert_problem(asking.post("/predict", content=sent, headers={"content-type": PLAIN}), 400)


@pytest.mark.parametrize("coding", ["", "identity", "Identity", "IDENTITY", "identity, identity", "identity,"])
def test_a_body_of_no_coding_is_read_however_that_is_said(asking: httpx2.Client, hand: bytes, coding: str) -> None:
    for headers in ({"Content-Encoding": coding}, {"content-encoding": coding, "content-type": "IMAGE/PNG; a=b"}):
        assert asking.post("/predict", content=hand, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "codings", [["gzip"], ["GZIP"], ["x-gzip"], ["identity, gzip"], ["identity", "gzip"], ["aws-chunked"]]
)
def test_a_body_of_a_coding_is_refused_however_that_is_said(
    asking: httpx2.Client, hand: bytes, codings: list[str]
) -> None:
    refused = asking.post("/predict", content=hand, headers=[("Content-Encoding", coding) for coding in codings])
    assert_problem(refused, 415)
    assert refused.headers["accept-encoding"] == "identity"
