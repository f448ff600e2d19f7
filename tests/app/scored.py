"""`python -m app classify`, and the rows and the page it leaves."""

import csv
import re
import subprocess
from html import unescape
from pathlib import Path

from tests.running import ROOT, run, start

Rows = dict[str, dict[str, str]]


def classify(paths: Path, out: Path, bundle: Path, *more: str | Path, **environment: str) -> str:
    """What it says when it is done."""
    done = run("app", "classify", paths, "--out", out, "--bundle", bundle, *more, cwd=ROOT, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def begin(paths: Path, out: Path, bundle: Path, *more: str, **environment: str) -> subprocess.Popen[bytes]:
    """The same, left running, its output in `log` beside the table."""
    log = out.with_name("log")
    return start("app", "classify", paths, "--out", out, "--bundle", bundle, *more, output=log, **environment)


def copies(folder: Path, picture: bytes, count: int) -> Path:
    """A new folder with one picture under many names."""
    folder.mkdir()
    first = folder / "0000.png"
    first.write_bytes(picture)
    for number in range(1, count):
        (folder / f"{number:04}.png").hardlink_to(first)
    return folder


def rows(table: Path) -> Rows:
    """Those of a CSV, by path; none is there twice."""
    with table.open(newline="") as file:
        found = list(csv.DictReader(file))
    named = {row["path"]: row for row in found}
    assert len(named) == len(found)
    return named


def entries(page: Path, heading: str) -> list[str]:
    """Those below a heading, as a reader sees them."""
    [section] = re.findall(rf"<h2[^>]*>{heading}</h2>.*?</ul>", page.read_text(), re.DOTALL)
    return [as_read(entry) for entry in re.findall(r"<li>.*?</li>", section, re.DOTALL)]


def as_read(html: str) -> str:
    html = re.sub(r"</th><td>|&nbsp;", " ", html)
    lines = (unescape(re.sub(r"<[^>]*>", "", line)).strip() for line in re.split(r"\n|</p>|</h.>|</summary>", html))
    return "\n".join(filter(None, lines))
