"""The page by keyboard, in the dark, on a narrow screen, and by the rules of accessibility."""

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.dicoms import dicom
from tests.web.gestures import HAND, choose, column, drawn, finished, keep, payloads, tab_to

SOME = {
    "hand.png": drawn("Hand"),
    "head.png": drawn("HeadCT"),
    "wrong.dcm": dicom(HAND, Modality="CR", BodyPartExamined="KNEE"),
    "notes.txt": b"no picture",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_before_or_after(page: Page, scheme: Literal["light", "dark"], screenshots: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    keep(page, screenshots, f"empty-{scheme}")
    assert violations(page) == ""
    choose(page, SOME)
    page.get_by_text("Drawn examples").click()
    page.get_by_role("button", name="ChestCT", exact=True).click()
    expect(page.locator("#cards > li")).to_have_count(5)
    finished(page)
    page.get_by_role("button", name="Heat map of head.png").click()
    page.get_by_role("columnheader", name="Probability").get_by_role("button").click()
    page.get_by_text("The whole model card").click()
    keep(page, screenshots, f"answers-{scheme}")
    assert violations(page) == ""


def test_the_page_is_dark_where_darkness_is_preferred(page: Page) -> None:
    lightness = "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).reduce((a, b) => +a + +b)"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(lightness) > 600
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(lightness) < 150


def test_everything_can_be_done_by_keyboard(page: Page) -> None:
    with page.expect_file_chooser() as chooser:
        tab_to(page, page.locator("#files"))
        page.keyboard.press("Enter")
    chooser.value.set_files(payloads({name: SOME[name] for name in ("head.png", "hand.png", "notes.txt")}))
    finished(page)
    tab_to(page, page.get_by_role("columnheader", name="File").get_by_role("button"))
    page.keyboard.press("Enter")
    assert column(page, 1) == ["hand.png", "head.png", "notes.txt"]
    tab_to(page, page.get_by_role("link", name="head.png"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="head.png")).to_be_focused()
    button = page.get_by_role("button", name="Heat map of head.png")
    tab_to(page, button)
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    tab_to(page, page.locator("#examples summary"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="AbdomenCT", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("#cards > li")).to_have_count(4)


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page, screenshots: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    choose(page, SOME)
    keep(page, screenshots, "narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def violations(page: Page) -> str:
    """What axe's rules have against the page as it is."""
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""
