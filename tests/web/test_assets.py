"""What the page is made of, the drawn pictures it offers, and the page of the API."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from app.model import bundle
from tests.running import COMMITTED, Server, serving
from tests.web.gestures import keep


@pytest.mark.parametrize("path", ["/", "/docs", "/web/page.js", "/web/style.css", "/web/swagger-ui-bundle.js"])
def test_what_a_browser_has_it_need_not_fetch_again(asking: httpx2.Client, path: str) -> None:
    first = asking.get(path)
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    again = asking.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_examples_are_golden_pictures_one_for_each_answer(asking: httpx2.Client) -> None:
    opened = bundle.read(COMMITTED)
    labels = {one["name"]: one["label"] for one in asking.get("/web/examples").json()}
    pictures = {golden.file: opened.path(golden.file).read_bytes() for golden in opened.manifest.golden}
    assert {name: asking.get(f"/web/examples/{name}").content for name in labels}.items() <= pictures.items()
    assert {name: asking.post("/predict", content=pictures[name]).json()["label"] for name in labels} == labels
    assert [*labels.values()] == [*opened.manifest.classes, None]
    assert {Path(name).stem for name in labels} >= {*opened.manifest.classes}  # each drawn as what it is taken for


@pytest.mark.parametrize(
    "path",
    [
        *("examples/bundle.json", "examples/model.keras", "examples/golden", "examples/", "examples//etc/passwd"),
        *(
            "examples/golden%2F..%2Fbundle.json",
            "examples/..%2Fpage.js",
            "%2E%2E",
            "..%2Fmain.py",
            "%2E%2E/main.py",
            ".",
        ),
        *("no.js", "x" * 5000, "page.js%00", "page.js/"),
    ],
)
def test_no_other_file_is_given(asking: httpx2.Client, path: str) -> None:
    assert asking.get(f"/web/{path}").status_code == 404


def test_an_example_that_was_altered_or_lost_is_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(COMMITTED.resolve(), folder)
    altered, lost, *_ = [golden.file for golden in bundle.read(folder).manifest.golden]
    with serving(folder, tmp_path / "log") as server, server.client() as client:
        (folder / altered).write_bytes(b"something else")
        (folder / lost).unlink()
        assert [client.get(f"/web/examples/{name}").status_code for name in (altered, lost)] == [404, 404]


def test_the_page_of_the_api_works_without_the_network(blank: Page, committed: Server, screenshots: Path) -> None:
    try_out(blank, committed.address)
    keep(blank, screenshots, "docs")


def test_both_pages_work_below_a_path_that_a_proxy_takes_away(blank: Page, committed: Server) -> None:
    with below("/bodyregion", committed) as address:
        try_out(blank, address)
        blank.goto(f"{address}/")
        blank.locator("#examples button").first.click()
        blank.locator("#cards li").first.wait_for()


def try_out(page: Page, address: str) -> None:
    page.goto(f"{address}/docs")
    operation = page.locator("#operations-operations-livez")
    operation.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(operation.locator(".request-url")).to_contain_text(f"{address}/livez")


@contextmanager
def below(prefix: str, server: Server) -> Iterator[str]:
    """The address of a proxy as nginx' `location /prefix/ { proxy_pass http://server/; }`, which knows nothing else."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            within, path = self.path.startswith(f"{prefix}/"), self.path.removeprefix(prefix)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with server.client() as client:
                answer = client.request(self.command, path if within else "/nowhere", content=body)
            self.send_response(answer.status_code)
            for name in ("content-type", "content-security-policy"):
                self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.content)

        def do_POST(self) -> None:
            self.do_GET()

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}"
        proxy.shutdown()
