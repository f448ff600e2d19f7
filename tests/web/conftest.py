"""A real browser on a real server with the committed bundle. No test may ask another host or break the page's policy."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.running import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not longer open than the tests of a module: while it is, asyncio.run works nowhere else in the process."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"there is no browser: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page are kept for people to look at: the folder SCREENSHOTS names, if it names one."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window of its own; what it asks for must come from this machine."""
    opened, asked = browser.new_context(), list[str]()
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    opened.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))] == []


@pytest.fixture
def blank(context: BrowserContext) -> Iterator[Page]:
    """A page not yet led anywhere; nothing may go wrong in its scripts or against its policy."""
    opened, wrong = context.new_page(), list[str]()
    opened.set_default_timeout(15_000)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    assert wrong == []


@pytest.fixture
def page(blank: Page, committed: Server) -> Page:
    """The page, once it has introduced its model."""
    blank.goto(committed.address)
    blank.locator("#model").wait_for()
    return blank
