"""How the page bears with its service: one at a time, full, gone, locked, or with another model."""

from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.running import COMMITTED, Server, serving
from tests.web.gestures import answered, card, choose, column, drawn, drop, finished, keep
from tests.web.test_access_for_all import violations

KEY = "drawn-for-this-test"


def test_many_pictures_wait_their_turn_behind_a_progress_bar(page: Page) -> None:
    held: list[Route] = []
    opened = False

    def gate(route: Route) -> None:
        if opened:
            route.continue_()
        else:
            held.append(route)

    page.route("**/predict", gate)
    drop(page, {f"{seed}.png": drawn("Hand", seed) for seed in range(12)})
    expect(page.locator("#progress")).to_be_visible()
    page.wait_for_timeout(300)
    assert len(held) == 4
    assert page.locator("#progress").evaluate("bar => [bar.value, bar.max]") == [0, 12]
    opened = True
    for route in held:
        route.continue_()
    finished(page)
    expect(page.locator("#status")).to_have_text("12 done.")
    expect(page.locator("#progress")).to_be_hidden()
    assert len(column(page, 1)) == 12


def test_a_full_service_is_asked_again(page: Page) -> None:
    asked: list[str] = []

    def full_at_first(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=503, headers={"Retry-After": "1"})
        else:
            route.continue_()

    page.route("**/predict", full_at_first)
    choose(page, {"hand.png": drawn("Hand")})
    assert len(asked) == 2
    expect(card(page, "hand.png").locator(".label")).to_have_text("Hand")


def test_of_a_service_that_goes_away_it_is_said_once_what_is_judged_and_the_rest_can_be_tried_again(
    page: Page, screenshots: Path
) -> None:
    asked: list[str] = []

    def gone(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 8 or "livez" in route.request.url:
            route.abort()
        else:
            route.continue_()

    page.route("**/predict", gone)
    page.route("**/livez", gone)
    drop(page, {f"{seed}.png": drawn("Hand", seed) for seed in range(20)})
    away = page.locator("#away")
    expect(away).to_contain_text("The service does not answer. 8 of 20 pictures are judged, 12 not.")
    assert page.locator("#cards .error").count() == 0
    page.get_by_role("button", name="not judged 12").click()
    assert column(page, 2) == ["not judged"] * 12
    keep(page, screenshots, "away")
    assert violations(page) == ""
    page.unroute("**/predict")
    page.unroute("**/livez")
    page.get_by_role("button", name="Try again").click()
    finished(page)
    expect(page.locator("#status")).to_contain_text("20 done")
    expect(away).to_be_hidden()
    page.get_by_role("button", name="all 20").click()
    assert answered(page) == ["Hand"] * 20


def test_a_proxy_whose_service_is_gone_is_a_service_that_is_gone(page: Page) -> None:
    for path in ("**/predict", "**/livez"):
        page.route(path, lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    drop(page, {"hand.png": drawn("Hand")})
    expect(page.locator("#away")).to_contain_text("The service does not answer. 0 of 1 pictures are judged, 1 not.")


def test_a_file_that_cannot_be_sent_is_an_error_of_that_file_alone(page: Page) -> None:
    asked: list[str] = []

    def first_fails(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/predict", first_fails)
    choose(page, {"hand.png": drawn("Hand"), "head.png": drawn("HeadCT")})
    expect(page.locator("#cards .error")).to_contain_text("The service did not take it")
    expect(page.locator("#away")).to_be_hidden()
    assert len(answered(page)) == 1


def test_examples_that_cannot_be_fetched_are_said_so(page: Page) -> None:
    for path in ("**/web/examples/**", "**/livez"):
        page.route(path, lambda route: route.abort())
    page.get_by_role("button", name="Try them all").click()
    expect(page.locator("#missing")).to_have_text("The service does not answer.")


def test_the_page_asks_for_the_key_and_keeps_it_nowhere(blank: Page, tmp_path: Path, screenshots: Path) -> None:
    with serving(COMMITTED, tmp_path / "log", BODYREGION_API_KEYS=KEY) as server:
        blank.goto(server.address)
        secret = blank.get_by_label("This service asks for a key")
        expect(secret).to_be_focused()
        keep(blank, screenshots, "key")
        for typed in ("wrong", KEY):
            secret.fill(typed)
            secret.press("Enter")
            expect(blank.locator("#refused") if typed == "wrong" else blank.locator("#model")).to_be_visible()
        expect(secret).to_be_hidden()
        choose(blank, {"hand.png": drawn("Hand")})
        expect(card(blank, "hand.png").locator(".label")).to_have_text("Hand")
        assert blank.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


def test_three_classes_and_a_model_without_evidence_do_as_well(blank: Page, server: Server) -> None:
    blank.goto(server.address)
    expect(blank.locator("#lede")).to_have_text(
        "Tells AbdomenCT, Hand, HeadCT apart, or says that a picture is none of the three."
    )
    choose(blank, {"hand.png": drawn("Hand")})
    told = card(blank, "hand.png")
    expect(told).to_contain_text("This model cannot tell strangers.")
    assert told.locator(".bars li").count() == 3
    blank.get_by_role("button", name="Heat map of hand.png").click()
    expect(told.locator(".error")).to_have_text("The model in use gives no evidence to explain with.")
