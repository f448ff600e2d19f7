"""The page in a browser: pictures in, answers out."""

import base64
import csv
from hashlib import sha256
from pathlib import Path

import httpx2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.model import bundle
from app.scoring.columns import columns
from tests.dicoms import dicom
from tests.running import COMMITTED
from tests.web.gestures import HAND, answered, card, choose, column, drawn, drop, finished, keep

CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
NOT_TOLD = {"study", "series", "slice_number", "slice_position", "slice_normal", "frame_answers"}  # by the service
AS_FILE = {"Content-Type": "application/octet-stream"}
COPY = """async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt());
    await navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]);
}"""


def test_a_dropped_picture_shows_what_the_service_answers(page: Page, asking: httpx2.Client) -> None:
    hand = drawn("Hand")
    drop(page, {"hand.png": hand})
    finished(page)
    answer = asking.post("/predict", content=hand).json()
    told = card(page, "hand.png")
    expect(told.locator(".label")).to_have_text(answer["label"])
    assert told.locator(".bars li > span:first-child").all_inner_texts() == CLASSES
    assert f"Accepted: strangeness {answer['ood_score']:.2f}, the limit is 0.50" in told.inner_text()
    assert told.locator("img").evaluate("image => image.naturalWidth") == 64


def test_a_copied_picture_can_be_pasted(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPY, base64.b64encode(drawn("HeadCT")).decode())
    page.keyboard.press("Control+V")
    finished(page)
    expect(page.locator("#cards .label")).to_have_text("HeadCT")


def test_an_error_stands_in_words_beside_the_file_that_caused_it(page: Page, asking: httpx2.Client) -> None:
    bad = {"notes.txt": b"no picture", "cut.png": drawn("Hand")[:900]}
    choose(page, {"hand.png": drawn("Hand"), **bad})
    details = {name: asking.post("/predict", content=bad[name], headers=AS_FILE).json()["detail"] for name in bad}
    for name, detail in details.items():
        expect(card(page, name).locator(".error")).to_have_text(detail)
    expect(card(page, "hand.png").locator(".label")).to_have_text("Hand")
    assert sorted(column(page, 2)) == sorted([*details.values(), "Hand"])
    expect(page.locator("#status")).to_have_text("3 done, 2 of them with an error, 2 to look at.")


def test_a_stranger_is_none_of_the_six(page: Page, asking: httpx2.Client, screenshots: Path) -> None:
    captions = page.locator("#examples .strip").get_by_role("button").all_inner_texts()
    assert captions == [*CLASSES, "none of the six"]
    page.get_by_role("button", name="Try them all").click()
    finished(page)
    assert answered(page) == ["none of the six", *CLASSES]
    nearest = asking.post("/predict", content=drawn("house")).json()["probabilities"]
    choose(page, {"house.png": drawn("house")})
    name = max(nearest, key=lambda name: nearest[name])
    expect(card(page, "house.png")).to_contain_text(f"nearest: {name} {100 * nearest[name]:.1f} %")
    assert "%" not in page.get_by_role("row", name="house.png").inner_text()
    keep(page, screenshots, "examples")


def test_one_example_is_one_click_away(page: Page) -> None:
    page.get_by_role("button", name="HeadCT", exact=True).click()
    finished(page)
    assert answered(page) == ["HeadCT"]


@pytest.mark.parametrize(
    ("score", "said"), [(0.123, "0.12, the limit is 0.50"), (0.49996, "0.49996, the limit is 0.50000"), (0.5, "0.50")]
)
def test_strangeness_has_the_digits_that_tell_it_from_the_limit(page: Page, score: float, said: str) -> None:
    answer = {"accepted": True, "ood_score": score}
    acceptance = "async (answer) => (await import('/web/words.js')).acceptance(answer, 0.5)"
    assert f"strangeness {said}" in page.evaluate(acceptance, answer)


def test_the_heat_map_comes_when_asked_for_and_goes_again(page: Page, screenshots: Path) -> None:
    choose(page, {"hand.png": drawn("Hand")})
    plain = card(page, "hand.png").locator("img").get_attribute("src")
    button = page.get_by_role("button", name="Heat map of hand.png")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    heat = card(page, "hand.png").locator("img")
    assert heat.get_attribute("src") != plain
    expect(card(page, "hand.png").locator(".legend")).to_have_text("against" + "for Hand")
    assert heat.evaluate("async image => (await image.decode(), image.naturalWidth)") > 0
    keep(page, screenshots, "heat")
    button.click()
    expect(heat).to_have_attribute("src", plain or "")


def test_a_dicom_shows_whether_its_header_agrees(page: Page) -> None:
    choose(
        page,
        {
            "hand.dcm": dicom(HAND, Modality="CR", BodyPartExamined="HAND"),
            "wrong.dcm": dicom(HAND, Modality="CR", BodyPartExamined="KNEE"),
            "stack.dcm": dicom(np.stack([HAND, HAND, HAND]), Modality="CR"),
        },
    )
    expect(card(page, "hand.dcm")).to_contain_text("CR, HAND (agrees)")
    expect(card(page, "wrong.dcm")).to_contain_text("CR, KNEE (contradicts)")
    expect(card(page, "stack.dcm")).to_contain_text("CR (nothing to compare); 64 × 64, the middle one of 3")


def test_what_the_browser_cannot_show_the_service_makes_a_picture_of(page: Page) -> None:
    choose(page, {"hand.dcm": dicom(np.kron(HAND, np.ones((5, 10), np.uint8))), "notes.dcm": b"no picture"})
    thumbnail = card(page, "hand.dcm").locator("img")
    expect(thumbnail).to_be_visible()
    assert thumbnail.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [256, 128]
    expect(card(page, "notes.dcm").locator(".unshown")).to_have_text("DCM")
    page.get_by_role("button", name="Heat map of hand.dcm").click()
    expect(card(page, "hand.dcm").locator("img[alt^=What]")).to_be_visible()


def test_text_from_elsewhere_stays_text(page: Page) -> None:
    name = "<img src=x onerror=alert(1)>.dcm"
    choose(page, {name: dicom(HAND, BodyPartExamined="<b>HAND</b>")})
    expect(card(page, name)).to_contain_text("<b>HAND</b>")
    assert page.locator("#cards b, #cards [onerror]").count() == 0
    render = "async text => (await import('/web/markdown.js')).render(text, 2).map(each => each.textContent)"
    assert page.evaluate(render, "# <b>Card</b>\n\n| <i>a</i> |\n|---|\n| 1 |") == ["<b>Card</b>", "<i>a</i>1"]


def test_the_table_sorts_by_each_column_both_ways(page: Page) -> None:
    choose(page, {f"{kind}{seed}.png": drawn(kind, seed) for kind in ("HeadCT", "Hand") for seed in (10, 9)})
    head = page.get_by_role("columnheader", name="File")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert column(page, 1) == ["Hand9.png", "Hand10.png", "HeadCT9.png", "HeadCT10.png"]
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert column(page, 1) == ["HeadCT10.png", "HeadCT9.png", "Hand10.png", "Hand9.png"]
    page.get_by_role("button", name="Probability").click()
    assert head.get_attribute("aria-sort") is None
    assert answered(page) == column(page, 2)


def test_the_csv_file_holds_what_the_service_said(page: Page, asking: httpx2.Client) -> None:
    knee = dicom(HAND, Modality="CR", BodyPartExamined="KNEE")
    cut = drawn("Hand")[:900]
    files = {
        "=1+1.png": drawn("Hand"),
        'a,"b".txt': b"no picture",
        "head.png": drawn("HeadCT"),
        "knee": knee,
        "cut": cut,
    }
    choose(page, files)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = {row["path"]: row for row in reader}
    of_classify = columns(bundle.read(COMMITTED).manifest)
    assert reader.fieldnames == [name for name in of_classify if name not in NOT_TOLD]
    assert [row["path"] for row in rows.values()] == ["'=1+1.png", *[*files][1:]]
    assert [row["sha256"] for row in rows.values()] == [sha256(content).hexdigest() for content in files.values()]
    assert [row["kind"] for row in rows.values()] == ["picture", "", "picture", "picture", ""]
    told = [
        rows["knee"][name] for name in ("header_body_part", "header_agrees", "suggested", "rows", "columns", "frames")
    ]
    assert told == ["KNEE", "false", "HAND (85562004, SCT, Hand)", "64", "64", "1"]
    answer = asking.post("/predict", content=files["head.png"]).json()
    detail = asking.post("/predict", content=b"no picture", headers=AS_FILE).json()["detail"]
    head = rows["head.png"]
    assert (head["label"], head["accepted"], head["error"]) == ("HeadCT", "true", "")
    assert [float(head[f"p_{name}"]) for name in CLASSES] == pytest.approx(list(answer["probabilities"].values()))
    assert rows['a,"b".txt']["error"] == detail


def test_the_model_its_limits_and_its_card_are_on_the_page(page: Page, asking: httpx2.Client) -> None:
    expect(page.locator("#facts")).to_contain_text(asking.get("/model").json()["version"])
    expect(page.get_by_text("Not a medical device.", exact=True).first).to_be_visible()
    metrics = asking.get("/model").json()["metrics"]
    wrong = {
        "pictures from other places": metrics["heldout_accuracy"],
        "pictures of its own data set": metrics["test_accuracy"],
    }
    for pictures, right in wrong.items():
        missed = round((1 - right["value"]) * right["n"])
        said = f"Of {right['n']:,} {pictures} that it had never seen it got {missed} wrong"
        expect(page.locator("#limits")).to_contain_text(said)
    assert "_" not in page.locator("#limits").inner_text()
    page.get_by_text("The whole model card").click()
    expect(page.locator("#card table").first).to_be_visible()


def test_cleared_answers_are_gone(page: Page) -> None:
    choose(page, {"hand.png": drawn("Hand"), "head.png": drawn("HeadCT")})
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#results")).to_be_hidden()
    assert page.locator("#cards > li, #many tbody tr").count() == 0
