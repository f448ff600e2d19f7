"""One self-contained page for the person who has to check: counts, and what to look at, each with its picture."""

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from app import imaging
from app.imaging.preview import thumbnail
from app.scoring.columns import Row
from app.scoring.files import File, Unreadable
from app.scoring.finding import find
from app.scoring.sections import MAX_PATHS, Entry, Section, sections
from app.scoring.summary import Summary
from app.scoring.table import Table, written_whole

TEMPLATE = Path(__file__).with_suffix(".html")
THUMBNAIL_PIXELS = 128  # a side


def write_report(path: Path, patterns: Sequence[str], table: Table, summary: Summary, series: Sequence[Row]) -> None:
    """Write the page, with rows of `series` if there are any. The table is read once more, and those files that are shown."""
    shown = sections(summary, series)
    for row in table.rows():
        for section in shown:
            section.add(row)
    filled = [(section, [*section.entries()]) for section in shown if section.total]
    files = _pictured(patterns, (entry for _, entries in filled for entry in entries))
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        date=f"{datetime.now().astimezone():%d %B %Y, %H:%M %Z}",
        judged=escape(_judged(patterns)),
        model=escape(table.bundle.title),
        address=quote(os.path.relpath(os.fsencode(table.path), os.fsencode(path.parent))),
        table=escape(File(table.path).name),
        counts="".join(f"<tr><th>{escape(name)}</th><td>{count:,}</td></tr>\n" for name, count in summary.counts()),
        remarks="".join(f"<p>{escape(remark)}</p>\n" for remark in summary.remarks()),
        links=" · ".join(f'<a href="#{number}">{section.heading}</a>' for number, (section, _) in enumerate(filled)),
        sections="".join(_section(number, *each, files) for number, each in enumerate(filled)),
    )
    with written_whole(path) as part:
        part.write_text(page, encoding="utf-8")


def _pictured(patterns: Iterable[str], entries: Iterable[Entry]) -> dict[str, File]:
    """The files that are shown, by name."""
    names = {entry.paths[0] for entry in entries if entry.pictured}
    return {file.name: file for file in find(patterns) if file.name in names}


def _section(number: int, section: Section, entries: Sequence[Entry], files: Mapping[str, File]) -> str:
    items = "".join(_item(entry, files) for entry in entries)
    says = f"{escape(section.says)}{_cut(len(entries), section.total)}"
    return f'<h2 id="{number}">{section.heading}</h2>\n<p class="quiet">{says}</p>\n<ul>\n{items}</ul>\n'


def _item(entry: Entry, files: Mapping[str, File]) -> str:
    image = _image(files[entry.paths[0]]) if entry.pictured and entry.paths[0] in files else ""
    lines = "".join(f"<p>{escape(line)}</p>" for line in entry.lines)
    first, *others = (f'<p class="quiet">{escape(path)}</p>' for path in entry.paths)
    more = f"<details><summary>{len(others)} more</summary>{''.join(others)}</details>" if others else ""
    cut = f"<p>{_cut(len(entry.paths), entry.files)}</p>" if len(entry.paths) < entry.files else ""
    return f"<li>{image}<div><h3>{escape(entry.title)}</h3>{lines}{first}{more}{cut}</div></li>\n"


def _cut(shown: int, total: int) -> str:
    return f' The first {shown:,} of {total:,}; <a href="#table">the table</a> has all.' if shown < total else ""


def _image(file: File) -> str:
    try:
        png = base64.b64encode(thumbnail(imaging.open(file.read()), THUMBNAIL_PIXELS)).decode()
    except (Unreadable, imaging.PictureError):  # it was there a moment ago
        return ""
    return f'<img alt="" src="data:image/png;base64,{png}">'


def _judged(patterns: Sequence[str]) -> str:
    """The folders that were asked for, in printable letters."""
    names = ", ".join(File(Path(pattern)).name for pattern in patterns[:MAX_PATHS])
    return names if len(patterns) <= MAX_PATHS else f"{names} and {len(patterns) - MAX_PATHS:,} more"
