"""One self-contained page for the person who has to check: counts, and what to look at, each with its picture."""

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from secrets import token_urlsafe
from string import Template
from typing import NamedTuple
from urllib.parse import quote

from app import imaging
from app.imaging.preview import thumbnail
from app.scoring.columns import Row
from app.scoring.files import File, Unreadable
from app.scoring.finding import find
from app.scoring.sections import MAX_PATHS, Entry, Place, Section, of_files, of_series
from app.scoring.summary import Summary
from app.scoring.table import Table, written_whole

TEMPLATE = Path(__file__).with_suffix(".html")
STYLE = Path(__file__).parent.parent / "web" / "style.css"  # of the page at `/`
THUMBNAIL_PIXELS = 128  # a side
# What a row is called where it has a number that all agree on, and that of the first: below the head of a CSV it is 2. Rows of a
# Parquet are counted from 0 by some and from 1 by others.
NUMBERED = {".csv": ("row", 2), ".jsonl": ("line", 1)}


class Shown(NamedTuple):
    """A section with its entries, and how to come from the page to the table they are rows of."""

    section: Section
    entries: list[Entry]
    table: Path
    address: str

    def link(self, text: str) -> str:
        return f'<a href="{self.address}">{escape(text)}</a>'

    def row(self, number: int) -> str:
        """A link to the table that says which row is meant, counted from 0."""
        name = File(Path(self.table.name)).name
        noun, first = NUMBERED.get(self.table.suffix, ("", 0))
        return self.link(f"{noun} {first + number} of {name}" if noun else f"in {name}")

    def cut(self, shown: int, total: int) -> str:
        """Whether there are more."""
        return f" The first {shown:,} of {total:,}; {self.link('the table')} has all." if shown < total else ""


def write_report(
    path: Path, patterns: Sequence[str], table: Table, summary: Summary, series: Sequence[Row], series_path: Path | None
) -> None:
    """Write the page, with the `series` of the table at `series_path` if there is one. The table is read once more, and those
    files that are shown.
    """
    of_all = _shown(of_files(summary), table.rows(), table.path, path)
    shown = [*(_shown(of_series(summary), series, series_path, path) if series_path else ()), *of_all]
    files = _pictured(patterns, (entry for each in shown for entry in each.entries))
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=STYLE.read_text(encoding="utf-8"),
        nonce=token_urlsafe(),
        date=f"{datetime.now().astimezone():%d %B %Y, %H:%M %Z}",
        judged=escape(_judged(patterns)),
        model=escape(table.bundle.title),
        address=_address(table.path, path),
        table=escape(File(table.path).name),
        counts="".join(f"<tr><th>{escape(name)}</th><td>{count:,}</td></tr>\n" for name, count in summary.counts()),
        remarks="".join(f"<p>{_words(remark)}</p>\n" for remark in summary.remarks()),
        links="".join(_jump(number, each.section) for number, each in enumerate(shown)),
        sections="".join(_section(number, each, files) for number, each in enumerate(shown)),
    )
    with written_whole(path) as part:
        part.write_text(page, encoding="utf-8")


def _shown(sections: Iterable[Section], rows: Iterable[Row], table: Path, page: Path) -> list[Shown]:
    """Those of the sections that have something of the table's rows."""
    for number, row in enumerate(rows):
        for section in sections:
            section.add(number, row)
    address = _address(table, page)
    return [Shown(section, [*section.entries()], table, address) for section in sections if section.total]


def _address(path: Path, page: Path) -> str:
    return quote(os.path.relpath(os.fsencode(path), os.fsencode(page.parent)))


def _pictured(patterns: Iterable[str], entries: Iterable[Entry]) -> dict[str, File]:
    """The files that are shown, by name."""
    names = {entry.places[0].path for entry in entries if entry.pictured}
    return {file.name: file for file in find(patterns) if file.name in names}


def _jump(number: int, section: Section) -> str:
    return f'<a href="#s{number}">{section.heading} <span class="quiet">{section.total:,}</span></a>\n'


def _section(number: int, shown: Shown, files: Mapping[str, File]) -> str:
    section, entries = shown.section, shown.entries
    items = "".join(_item(entry, shown, files) for entry in entries)
    says = f"{escape(section.says)}{shown.cut(len(entries), section.total)}"
    head = f'<h2>{section.heading}</h2>\n<p class="quiet">{says}</p>'
    return f'<section id="s{number}">\n{head}\n<ul class="cards">\n{items}</ul>\n</section>\n'


def _item(entry: Entry, shown: Shown, files: Mapping[str, File]) -> str:
    said, first = entry.said, entry.places[0]
    image = _image(files[first.path]) if entry.pictured and first.path in files else ""
    lines = "".join(f"<p>{_words(line)}</p>" for line in said.lines if line)
    detail = f'<p class="quiet">{_words(said.detail)}</p>' if said.detail else ""
    place, *others = (_place(each, shown) for each in entry.places)
    more = f"<details><summary>{len(others)} more</summary>{''.join(others)}</details>" if others else ""
    cut = f"<p>{shown.cut(len(entry.places), entry.files)}</p>" if len(entry.places) < entry.files else ""
    title = f'<h3 class="label {said.tone}">{_words(said.title)}</h3>'
    return f"<li>{image}<div>{title}{lines}{detail}{place}{more}{cut}</div></li>\n"


def _words(text: str) -> str:
    return escape(text).replace(" %", "&nbsp;%")


def _place(place: Place, shown: Shown) -> str:
    path = escape(place.path).replace("/", "/<wbr>")  # where its line may end
    return f'<p class="path">{path}</p><p class="row">{shown.row(place.row)}</p>'


def _image(file: File) -> str:
    try:
        png = base64.b64encode(thumbnail(imaging.open(file.read()), THUMBNAIL_PIXELS)).decode()
    except (Unreadable, imaging.PictureError):  # it was there a moment ago
        return ""
    return f'<figure><img alt="" loading="lazy" src="data:image/png;base64,{png}"></figure>'


def _judged(patterns: Sequence[str]) -> str:
    """The folders that were asked for, in printable letters."""
    names = ", ".join(File(Path(pattern)).name for pattern in patterns[:MAX_PATHS])
    return names if len(patterns) <= MAX_PATHS else f"{names} and {len(patterns) - MAX_PATHS:,} more"
