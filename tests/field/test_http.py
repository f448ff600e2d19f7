"""How other people's clients, monitors and balancers ask, as RFC 9110 and 9112 let them."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.hostile.test_heads import MALFORMED
from tests.hostile.wire import GET, assert_refused, exchange, last, statuses
from tests.running import Server

JAVA = (  # as Java's HttpClient, and so Spring's RestClient, asks
    b"POST /thumbnail HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n%b\r\nHost: x\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
    b"User-Agent: Java-http-client/21.0.1\r\nContent-Type: image/png\r\n\r\n"
)
OFFER = b"connection: upgrade\r\nupgrade: h2c\r\n"


def with_length(body: bytes) -> bytes:
    return JAVA % (b"Content-Length: %d" % len(body)) + body


def in_chunks(body: bytes, trailers: bytes = b"") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (body[:50], body[50:]))
    return JAVA % b"Transfer-encoding: Chunked" + chunks + b"0\r\n" + trailers + b"\r\n"


OFFERS: dict[str, Callable[[bytes], bytes]] = {
    "a body with a length": with_length,
    "a body in chunks": in_chunks,
    "trailers": lambda body: in_chunks(body, b"x-sum: 1\r\n"),
    "an offer in the trailers": lambda body: in_chunks(body, OFFER).replace(b"Upgrade: h2c\r\n", b"", 1),
    "WebSocket": lambda body: with_length(body).replace(b"h2c", b"websocket"),
    "TLS": lambda body: in_chunks(body).replace(b"h2c", b"TLS/1.0"),
    "two protocols": lambda body: with_length(body).replace(b"h2c", b"h2c, websocket"),
    "two headers": lambda body: with_length(body).replace(b"Upgrade: h2c", b"Upgrade: h2c\r\nUPGRADE: foo/2"),
    "no word of it in Connection": lambda body: with_length(body).replace(b"Upgrade, ", b""),
    "curl, which wants to be told to go on": lambda body: with_length(body).replace(
        b"Host", b"Expect: 100-Continue\r\nHost"
    ),
}


@pytest.mark.parametrize("size", [1, 7, 200, 10**6])
@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_of_another_protocol_is_passed_over_and_the_body_read(
    committed: Server, hand: bytes, offer: str, size: int
) -> None:
    sent = OFFERS[offer](hand) * 2 + last(GET)
    received = exchange(committed, *[sent[at : at + size] for at in range(0, len(sent), size)])
    assert [status for status in statuses(received) if status != 100] == [200, 200, 200]
    assert received.count(b"\x89PNG") == 2
    assert received.count(b"connection: close") == 1


def test_an_offer_without_a_body_leaves_the_connection_to_the_next_request(committed: Server) -> None:
    offering = GET[:-2] + OFFER + b"\r\n"
    assert statuses(exchange(committed, offering * 3 + last(GET))) == [200] * 4
    assert statuses(exchange(committed, offering.replace(b"GET", b"HEAD") + last(GET))) == [200, 200]


@pytest.mark.parametrize(
    ("old", "new"), [(b"Connection: Upgrade", b"Connection: close, Upgrade"), (b"HTTP/1.1", b"HTTP/1.0")]
)
def test_an_offer_with_the_last_request_of_a_connection_is_answered_too(
    committed: Server, hand: bytes, old: bytes, new: bytes
) -> None:
    for build in (with_length, in_chunks):
        assert statuses(exchange(committed, build(hand).replace(old, new) + GET)) == [200]


@pytest.mark.parametrize("case", MALFORMED)
def test_an_offer_excuses_nothing(committed: Server, case: str) -> None:
    offering = MALFORMED[case].replace(b"\r\n", b"\r\n" + OFFER, 1)
    assert_refused(exchange(committed, offering + GET), 400)


def test_an_offer_changes_no_limit(committed: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\n" + OFFER
    assert_refused(exchange(committed, last(head) + b"content-length: 10000000000\r\n\r\n"), 413)
    large = head + b"x-a: " + b"b" * 40_000 + b"\r\ncontent-length: 5\r\n\r\nhello"
    assert_refused(exchange(committed, large), 431)
    assert_refused(exchange(committed, *[large[at : at + 5000] for at in range(0, len(large), 5000)]), 431)
    assert len(statuses(exchange(committed, (GET[:-2] + OFFER + b"\r\n") * 5000))) <= 17  # sent ahead


@pytest.mark.parametrize("method", ["CONNECT", "PRI"])
def test_a_tunnel_is_no_offer(committed: Server, method: str) -> None:
    for target in (b"x:443", b"*", b"/livez"):
        tunnel = b"%b %b HTTP/1.1\r\nhost: x\r\n" % (method.encode(), target)
        assert_refused(exchange(committed, tunnel + b"\r\n" + GET), 400)
        assert_refused(exchange(committed, tunnel + OFFER + b"\r\n" + GET), 400)


def test_nothing_behind_a_body_is_taken_for_more_of_it_nor_a_body_for_a_request(committed: Server, hand: bytes) -> None:
    for build in (with_length, in_chunks):
        assert statuses(exchange(committed, build(GET * 3) + last(GET))) == [415, 200]
        for noise in (hand, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):  # it ends the connection, perhaps before the answer
            assert statuses(exchange(committed, build(hand) + noise)) in ([], [200, 400])
    without = JAVA % b"X-Length: none"  # which is no body, RFC 9112 6.3
    assert statuses(exchange(committed, without + last(GET))) == [422, 200]
    assert statuses(exchange(committed, without + hand)) in ([], [422, 400])


@pytest.mark.parametrize(
    "words",
    [
        ["--http2", "--data-binary", "@hand.png", "-H", "Content-Type: image/png"],
        ["--http2", "-F", "file=@hand.png"],
        ["--http2", "-H", "Transfer-Encoding: chunked", "--data-binary", "@hand.png"],
        ["--http1.0", "-F", "file=@hand.png"],
        ["-X", "POST", "-T", "hand.png"],
        ["--data-binary", "@hand.png"],  # as application/x-www-form-urlencoded, as wget and PowerShell do
        ["-F", "note=first", "-F", "file=@hand.png;filename=\"a;b.png\"", "-F", "note=last"],
    ],
)  # fmt: skip
def test_curl_is_answered_whatever_it_offers(committed: Server, hand: bytes, tmp_path: Path, words: list[str]) -> None:
    if not (curl := shutil.which("curl")):
        pytest.skip("there is no curl")
    (tmp_path / "hand.png").write_bytes(hand)
    told = [curl, "-sS", "--fail", "--max-time", "20", *words, f"{committed.address}/predict"]
    done = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('{"label":"Hand"')


READ = [
    *(
        "/",
        "/docs",
        "/openapi.json",
        "/web/page.js",
        "/web/swagger-ui.css",
        "/web/examples",
        "/nowhere",
        "/web/none.js",
    ),
    *("/health", "/livez", "/readyz", "/model", "/metrics"),
    *("/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models/mednist", "/v2/models/mednist/ready"),
    *("/v2/models/none", "/v2/models/mednist/versions/none/ready"),
]
VARYING = {"/health", "/readyz", "/metrics"}  # in length, by the time and by what was asked


@pytest.mark.parametrize("path", READ)
def test_wherever_get_answers_head_says_the_same_without_a_body(
    committed: Server, asking: httpx2.Client, path: str
) -> None:
    whole, head = asking.get(path), asking.head(path)
    assert head.status_code == whole.status_code
    assert [*head.headers] == [*whole.headers]
    same = {*whole.headers} - {"date", "x-request-id", "content-length" if path in VARYING else ""}
    assert {name: head.headers[name] for name in same} == {name: whole.headers[name] for name in same}
    raw = exchange(committed, b"HEAD %b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % path.encode())
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n\r\n") == 1


def test_an_example_picture_and_what_a_browser_has_answer_head_too(asking: httpx2.Client) -> None:
    example = f"/web/examples/{asking.get('/web/examples').json()[0]['name']}"
    assert int(asking.head(example).headers["content-length"]) == len(asking.get(example).content)
    kept = {"If-None-Match": asking.head("/").headers["etag"]}
    assert asking.head("/", headers=kept).status_code == 304


def test_head_is_allowed_where_get_is_and_nowhere_else(asking: httpx2.Client) -> None:
    for path in ("/predict", "/predict/batch", "/explain", "/thumbnail", "/v2/models/mednist/infer"):
        refused = asking.head(path)
        assert (refused.status_code, refused.headers["allow"], refused.content) == (405, "POST", b"")
    for path in ("/health", "/", "/v2"):
        assert {*asking.post(path).headers["allow"].split(", ")} == {"GET", "HEAD"}
    document = asking.get("/openapi.json").json()
    assert [path for path, methods in document["paths"].items() if "head" in methods] == []


def test_head_is_counted_as_such(asking: httpx2.Client) -> None:
    asking.head("/livez")
    assert 'bodyregion_http_requests_total{method="HEAD",route="/livez",status="200"}' in asking.get("/metrics").text
