"""What a person does to the page, and what they can then read on it."""

import base64
from pathlib import Path
from typing import TypedDict

import numpy as np
from playwright.sync_api import FilePayload, Locator, Page, expect

from training import phantoms

HAND = phantoms.draw("Hand", np.random.default_rng(12345))


class Content(TypedDict):
    name: str
    base64: str


TRANSFER = """(files) => {
    const transfer = new DataTransfer();
    for (const {name, base64} of files)
        transfer.items.add(new File([Uint8Array.from(atob(base64), (each) => each.charCodeAt())], name));
    return transfer;
}"""


def drawn(kind: str, seed: int = 12345) -> bytes:
    """A phantom as PNG."""
    return phantoms.png(phantoms.draw(kind, np.random.default_rng(seed)))


def choose(page: Page, files: dict[str, bytes]) -> None:
    """Through the file dialogue, and wait for the answers."""
    page.locator("#files").set_input_files(payloads(files))
    finished(page)


def payloads(files: dict[str, bytes]) -> list[FilePayload]:
    """What a file dialogue is given."""
    return [{"name": name, "mimeType": "", "buffer": content} for name, content in files.items()]


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Let go of them over the page; the answers are not waited for."""
    contents: list[Content] = [
        {"name": name, "base64": base64.b64encode(content).decode()} for name, content in files.items()
    ]
    transfer = page.evaluate_handle(TRANSFER, contents)
    for kind in ("dragover", "drop"):
        page.dispatch_event("#drop", kind, {"dataTransfer": transfer})


def finished(page: Page) -> None:
    expect(page.locator("#status")).to_contain_text("done", timeout=30_000)


def answered(page: Page) -> list[str]:
    """The labels on the cards, from the first to the last."""
    return page.locator("#cards .label").all_inner_texts()


def card(page: Page, name: str) -> Locator:
    """The card of the file of that name."""
    return page.locator("#cards > li").filter(has=page.get_by_role("heading", name=name, exact=True))


def column(page: Page, index: int) -> list[str]:
    """A column of the table of answers, from the top."""
    return page.locator(f"#many tbody tr td:nth-child({index})").all_inner_texts()


def tab_to(page: Page, target: Locator) -> None:
    """With the Tab key alone."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if target.evaluate("target => target === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not reach {target}")


def keep(page: Page, folder: Path, name: str) -> None:
    """A picture of the whole page."""
    page.screenshot(path=folder / f"{name}.png", full_page=True)
