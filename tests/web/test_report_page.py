"""The page of `classify --report`, opened from disk."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.app.scored import classify
from tests.dicoms import dicom
from tests.running import COMMITTED
from tests.web.gestures import HAND, drawn, keep
from tests.web.test_access_for_all import violations


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One with every section but that of weak ones."""
    folder, out = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("out")
    for name in ("hand.png", "copy.png"):
        (folder / name).write_bytes(drawn("Hand"))
    (folder / "stranger.png").write_bytes(drawn("house"))
    (folder / "broken.png").write_bytes(drawn("Hand")[:300])
    (folder / "wrong.dcm").write_bytes(dicom(HAND, Modality="CR", BodyPartExamined="KNEE"))
    classify(folder, out / "table.csv", COMMITTED, "--report", out / "page.html")
    return (out / "page.html").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(blank: Page, report: str, scheme: Literal["light", "dark"], screenshots: Path) -> None:
    blank.emulate_media(color_scheme=scheme)
    blank.set_content(report)
    expect(blank.get_by_role("heading", level=2)).to_have_count(4)
    keep(blank, screenshots, f"report-{scheme}")
    assert violations(blank) == ""


def test_a_narrow_screen_needs_no_scrolling_sideways(blank: Page, report: str) -> None:
    blank.set_viewport_size({"width": 360, "height": 740})
    blank.set_content(report)
    assert blank.evaluate("document.documentElement.scrollWidth") <= 360
