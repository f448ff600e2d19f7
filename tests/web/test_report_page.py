"""The page of `classify --report`, opened from disk."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.app.scored import classify
from tests.dicoms import dicom
from tests.running import COMMITTED
from tests.web.gestures import HAND, drawn, keep, tab_to
from tests.web.test_access_for_all import violations
from training import phantoms

SPITEFUL = '<img src=x onerror="document.title=1">.png'
SECTIONS = ["Could not be read", "The header disagrees", "None of the six", "Copies"]
ENTRIES = 6
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with every section but those of series and of weak ones."""
    folder, out = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("out")
    for name in ("hand.png", "copy.png"):
        (folder / name).write_bytes(drawn("Hand"))
    (folder / "house.png").write_bytes(drawn("house"))
    for name, grey in (("white.png", 255), (SPITEFUL, 0)):
        (folder / name).write_bytes(phantoms.png(np.full((48, 64), grey, np.uint8)))
    (folder / "broken.png").write_bytes(drawn("Hand")[:300])
    (folder / "wrong.dcm").write_bytes(dicom(HAND, Modality="CR", BodyPartExamined="KNEE"))
    classify(folder, out / "table.csv", COMMITTED, "--report", out / "page.html")
    return out / "page.html"


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The page, which asks for nothing else; nothing may go wrong in its script or against its policy."""
    opened, asked, wrong = browser.new_page(), list[str](), list[str]()
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text))
    opened.goto(report.as_uri())
    yield opened
    opened.close()
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, scheme: Scheme, screenshots: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    expect(page.get_by_role("heading", level=2)).to_have_text(SECTIONS)
    keep(page, screenshots, f"report-{scheme}")
    assert violations(page) == ""
    page.get_by_role("searchbox").fill("hand")
    assert violations(page) == ""


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page, screenshots: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    keep(page, screenshots, "report-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_search_leaves_what_it_finds_and_says_how_much_that_is(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text(f"{ENTRIES} entries")
    for text, found, links in (
        ("KNEE cr", 1, ["The header disagrees 1"]),  # of its header
        ("hand", 2, ["The header disagrees 1", "Copies 1"]),  # a label, and the second path of an entry
        ("none six nearest", 3, ["None of the six 3"]),
        ("cut short", 1, ["Could not be read 1"]),
        ("house", 1, ["None of the six 1"]),
        ("table", 0, []),  # it is in every link
    ):
        page.get_by_role("searchbox").fill(text)
        expect(page.get_by_role("status")).to_have_text(f"{found} of {ENTRIES} entries")
        expect(page.locator("main li:visible")).to_have_count(found)
        expect(page.locator("nav a:visible")).to_have_text(links)
        expect(page.locator("h2:visible")).to_have_text([link[:-2] for link in links])


def test_the_search_unfolds_what_it_may_have_found(page: Page) -> None:
    folded = page.get_by_text("hand.png")
    expect(folded).to_be_hidden()
    page.get_by_role("searchbox").fill("hand.png")
    expect(folded).to_be_visible()
    page.get_by_role("searchbox").clear()
    expect(page.locator("main li:visible")).to_have_count(ENTRIES)
    expect(folded).to_be_hidden()


def test_the_search_is_used_and_left_by_keyboard(page: Page) -> None:
    field = page.get_by_role("searchbox", name="Search")
    tab_to(page, field)
    page.keyboard.type("knee")
    expect(page.locator("main li:visible")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="The header disagrees")).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    expect(page.get_by_role("status")).to_have_text(f"{ENTRIES} entries")
    expect(page.locator("main li:visible")).to_have_count(ENTRIES)


def test_sections_and_the_search_stay_within_reach(page: Page) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    for section in reversed(SECTIONS[:3]):
        page.get_by_role("navigation").get_by_role("link", name=section).click()
        heading = page.get_by_role("heading", name=section, exact=True)
        expect(heading).to_be_in_viewport()
        assert _top(heading) > _top(page.locator("nav")) > 0
    page.get_by_role("searchbox").fill("h")
    expect(page.locator("main li:visible").first).to_be_in_viewport()


def test_a_name_is_text(page: Page) -> None:
    expect(page.get_by_text(SPITEFUL)).to_be_visible()
    expect(page.locator("[onerror]")).to_have_count(0)
    page.get_by_role("searchbox").fill("<img")
    expect(page.locator("main li:visible")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["white.png", SPITEFUL])
def test_white_and_black_pictures_stand_out_from_what_is_round_them(page: Page, scheme: Scheme, name: str) -> None:
    page.emulate_media(color_scheme=scheme)
    card = page.locator("main li").filter(has_text=name)
    shot = np.asarray(Image.open(io.BytesIO(card.locator("img").screenshot())).convert("L")).astype(int)
    frame, picture = shot[shot.shape[0] // 2, 3], shot[shot.shape[0] // 2, shot.shape[1] // 2]
    assert abs(frame - picture) > 80
    assert picture == (255 if name == "white.png" else 0)


def test_all_is_printed_with_pictures_on_white(page: Page, screenshots: Path) -> None:
    """In the dark and in the middle of a search, too."""
    pictures = page.locator("main img").count()
    page.emulate_media(color_scheme="dark")
    page.get_by_role("searchbox").fill("knee")
    printed = page.pdf()
    assert printed.count(b"/Subtype /Image") == pictures - 1  # one hand is shown twice
    page.emulate_media(media="print", color_scheme="dark")
    keep(page, screenshots, "report-print")
    expect(page.locator("main li:visible")).to_have_count(ENTRIES)
    expect(page.get_by_text("hand.png")).to_be_visible()  # which is folded on the screen
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(27, 36, 38)"


def _top(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["y"]
