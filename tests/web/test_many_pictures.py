"""The page with more than a few pictures: what of them is shown, in which order, from folders, as series and on paper."""

from pathlib import Path

import httpx2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.scoring.summary import WEAK_CONFIDENCE
from tests.dicoms import dicom
from tests.web.gestures import HAND, answered, card, choose, column, drawn, drop, finished, keep
from tests.web.test_access_for_all import violations
from training import phantoms

HEAD = phantoms.draw("HeadCT", np.random.default_rng(12345))
MIXED = {
    "hand.png": drawn("Hand"),
    "house.png": drawn("house"),
    "head.png": drawn("HeadCT"),
    "wrong.dcm": dicom(HAND, Modality="CR", BodyPartExamined="KNEE"),
    "notes.txt": b"no picture",
}


def test_answers_come_first_and_have_the_focus(page: Page) -> None:
    choose(page, MIXED)
    expect(page.locator("#answers")).to_be_focused()
    top = "(id) => document.getElementById(id).getBoundingClientRect().top"
    assert 0 <= page.evaluate(top, "answers") < 250
    assert page.evaluate(top, "many") < page.viewport_size["height"] / 2  # type: ignore[index]
    expect(page.locator("#examples")).not_to_have_attribute("open", "")


def test_what_needs_eyes_stands_first_and_can_be_looked_at_alone(page: Page) -> None:
    choose(page, MIXED)
    assert column(page, 5) == ["header contradicts", "refused", "failed", "", ""]
    assert column(page, 1)[:3] == ["wrong.dcm", "house.png", "notes.txt"]
    page.get_by_role("button", name="to look at 3").click()
    assert column(page, 1) == ["wrong.dcm", "house.png", "notes.txt"]
    assert answered(page) == ["Hand", "none of the six"]
    expect(page.locator("#status")).to_have_text("5 done, 1 of them with an error, 3 to look at.")


def test_answers_are_counted_and_shown_by_class(page: Page) -> None:
    choose(page, MIXED)
    counts = page.locator("#filters").get_by_role("button").all_inner_texts()
    assert counts == ["all 5", "to look at 3", "Hand 2", "HeadCT 1", "none of the six 1", "failed 1"]
    page.get_by_role("button", name="Hand 2").click()
    assert column(page, 1) == ["wrong.dcm", "hand.png"]
    page.get_by_role("button", name="all 5").click()
    assert len(column(page, 1)) == 5


def test_cards_of_many_are_made_as_they_are_asked_for(page: Page) -> None:
    choose(page, {f"{seed}.png": drawn("Hand", seed) for seed in range(60)})
    cards = page.locator("#cards > li")
    expect(cards).to_have_count(24)
    page.get_by_role("button", name="Show 24 more of 36").click()
    expect(cards).to_have_count(48)
    last = column(page, 1)[-1]
    page.get_by_role("link", name=last).click()
    expect(page.get_by_role("heading", name=last)).to_be_in_viewport()
    expect(cards).to_have_count(60)
    expect(page.locator("#more")).to_be_hidden()


def test_a_thumbnail_is_asked_for_when_it_is_seen_and_for_paper_all_are(page: Page, screenshots: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "thumbnail" in request.url else None)
    page.evaluate("() => { window.printed = new Promise((done) => { window.print = done; }); }")
    choose(page, {f"{number}.dcm": dicom(HAND, InstanceNumber=number) for number in range(40)})
    assert len(asked) < 20
    page.get_by_role("button", name="Print").click()
    page.evaluate("() => window.printed")
    assert len(asked) == 40
    assert page.locator("#cards img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#cards > li:visible").count() == 40
    assert page.locator("button:visible").count() == 5  # the heads of the table
    keep(page, screenshots, "print")


def test_files_of_the_same_name_are_told_apart(page: Page) -> None:
    for kind in ("Hand", "HeadCT"):
        choose(page, {"IM1": drawn(kind)})
    assert sorted(column(page, 1)) == ["IM1", "IM1 (2)"]
    expect(card(page, "IM1 (2)").locator(".label")).to_have_text("HeadCT")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients, each with a file of the same name, and what file servers leave."""
    for place, kind in {"a": "Hand", "b/deeper": "HeadCT"}.items():
        (tmp_path / "archive" / place).mkdir(parents=True)
        (tmp_path / "archive" / place / "IM1.png").write_bytes(drawn(kind))
    (tmp_path / "archive" / ".DS_Store").write_bytes(b"left behind")
    (tmp_path / "archive" / "a" / "Thumbs.db").write_bytes(b"left behind")
    return tmp_path / "archive"


def test_a_dropped_folder_is_walked(page: Page, context: BrowserContext, folder: Path) -> None:
    session = context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder), str(folder / "a" / "IM1.png")], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})
    finished(page)
    assert sorted(column(page, 1)) == ["IM1.png", "archive/a/IM1.png", "archive/b/deeper/IM1.png"]
    expect(card(page, "archive/b/deeper/IM1.png").locator(".label")).to_have_text("HeadCT")


def test_of_a_folder_that_cannot_be_read_in_part_the_rest_is_not_lost(page: Page) -> None:
    found = page.evaluate("""async () => {
        const { dropped } = await import("/web/intake.js");
        const file = (name, file) => ({ isFile: true, name, fullPath: `/a/${name}`, file });
        const entries = [file("good.png", (done) => done(new File(["x"], "good.png"))), file("bad.png", (_, failed) => failed())];
        const readEntries = (done) => done(entries.splice(0));
        const folder = { isFile: false, name: "a", fullPath: "/a", createReader: () => ({ readEntries }) };
        const files = await dropped({ items: [{ webkitGetAsEntry: () => folder }], files: [] });
        return files.map(({ name, error }) => [name, error ?? ""]);
    }""")
    assert found == [["a/bad.png", "The browser could not read it."], ["a/good.png", ""]]


def test_a_folder_can_be_chosen(page: Page, folder: Path) -> None:
    page.locator("#folder").set_input_files(folder)
    finished(page)
    assert sorted(column(page, 1)) == ["archive/a/IM1.png", "archive/b/deeper/IM1.png"]


def test_an_archive_is_for_classify_and_is_not_sent(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    drop(page, {"study.ZIP": b"PK\x03\x04", "study.tar.gz": b"\x1f\x8b"})
    finished(page)
    for name in ("study.ZIP", "study.tar.gz"):
        expect(card(page, name).locator(".error")).to_contain_text("the command bodyregion classify")
    assert asked == []


def test_dicoms_of_one_series_have_one_answer_with_its_ranges(page: Page, screenshots: Path) -> None:
    slices = [HAND] * 6 + [HEAD] * 6
    files = {
        f"{number:02}.dcm": dicom(pixels, SeriesInstanceUID="1.2.3", InstanceNumber=number)
        for number, pixels in enumerate(slices, 1)
    }
    choose(page, {"single.dcm": dicom(HAND, SeriesInstanceUID="1.2.4")})
    expect(page.get_by_role("button", name="Judge series together")).to_be_hidden()
    choose(page, files)
    page.get_by_role("button", name="Judge series together").click()
    series = page.locator("#series .cards > li")
    expect(series).to_have_count(1)
    expect(series).to_contain_text("mixed")
    expect(series).to_contain_text("12 slices, 01.dcm to 12.dcm")
    expect(series).to_contain_text("1–6 Hand, 7–12 HeadCT")
    assert "1.2.3" not in page.content()
    keep(page, screenshots, "series")
    assert violations(page) == ""
    choose(page, {"another.dcm": dicom(HAND, SeriesInstanceUID="1.2.3", InstanceNumber=13)})
    expect(series).to_be_hidden()


def test_what_is_cleared_is_gone_and_the_page_is_as_it_was(page: Page) -> None:
    choose(page, MIXED)
    page.get_by_role("button", name="failed 1").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#results")).to_be_hidden()
    expect(page.get_by_role("button", name="Try them all")).to_be_visible()
    choose(page, {"hand.png": drawn("Hand")})
    expect(card(page, "hand.png").locator(".label")).to_have_text("Hand")


def test_the_page_calls_weak_what_classify_calls_weak(asking: httpx2.Client) -> None:
    assert f"WEAK_CONFIDENCE = {WEAK_CONFIDENCE};" in asking.get("/web/look.js").text
