"""One self-contained page for the person who has to check: counts, disagreements and refusals, each with its picture."""

import base64
from html import escape
from pathlib import Path

from app import imaging
from app.imaging.preview import thumbnail
from app.scoring.columns import Row
from app.scoring.files import File, Unreadable, find
from app.scoring.run import Summary, disagrees, is_out_of_distribution
from app.scoring.table import Table, written_whole

MAX_PICTURES_PER_SECTION = 300  # a page with thousands does not open
THUMBNAIL_PIXELS = 128  # a side
SECTIONS = {"The header says otherwise": disagrees, "None of the classes": is_out_of_distribution}

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Body regions</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
td {{ padding: .1rem 2rem .1rem 0 }} td + td {{ text-align: right; font-variant-numeric: tabular-nums }}
ul {{ list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1.5rem }}
li {{ overflow-wrap: anywhere; font-size: .85rem }}
img {{ display: block; width: 8rem; height: 8rem; object-fit: contain; background: #000 }}
</style>
<h1>Body regions</h1>
<p>Judged by {model}. Research use: a person decides.</p>
<table>{counts}</table>
{sections}
</html>
"""


def write_report(path: Path, patterns: list[str], table: Table, summary: Summary) -> None:
    """Write the page. Only the files shown are read again."""
    model, shown = _select(table)
    names = {row["path"] for rows in shown.values() for row in rows}
    files = {file.name: file for file in find(patterns) if file.name in names}
    counts = "".join(f"<tr><td>{escape(name)}</td><td>{count:,}</td></tr>\n" for name, count in summary.lines())
    totals = summary.disagreements, summary.out_of_distribution
    parts = zip(shown.items(), totals, strict=True)
    sections = "".join(_section(heading, rows, total, files) for (heading, rows), total in parts)
    with written_whole(path) as part:
        part.write_text(PAGE.format(model=escape(model), counts=counts, sections=sections), encoding="utf-8")


def _select(table: Table) -> tuple[str, dict[str, list[Row]]]:
    """The model's title, and the rows to show by section."""
    model = "no model"
    shown: dict[str, list[Row]] = {heading: [] for heading in SECTIONS}
    for row in table.rows():
        model = str(row["model"])
        for heading, belongs in SECTIONS.items():
            if belongs(row) and len(shown[heading]) < MAX_PICTURES_PER_SECTION:
                shown[heading].append(row)
    return model, shown


def _section(heading: str, rows: list[Row], total: int, files: dict[str, File]) -> str:
    entries = "".join(_entry(row, files.get(str(row["path"]))) for row in rows)
    fewer = f", the first {len(rows)} of them here" if total > len(rows) else ""
    return f"<h2>{escape(heading)}</h2>\n<p>{total:,}{fewer}</p>\n<ul>\n{entries}</ul>\n"


def _entry(row: Row, file: File | None) -> str:
    header = " ".join(str(row[name]) for name in ("header_modality", "header_body_part") if row[name])
    said = f"<br>header: {escape(header)}" if header else ""
    image = "" if file is None else f'<img alt="" src="{_thumbnail(file)}">'
    return f"<li>{image}{escape(_prediction(row))}{said}<br>{escape(str(row['path']))}</li>\n"


def _prediction(row: Row) -> str:
    if row["label"] is not None:
        return f"{row['label']}, {row['confidence']:.0%} sure"
    nearest = max((name for name in row if name.startswith("p_")), key=lambda name: float(row[name] or 0))
    return f"none of the classes; nearest is {nearest.removeprefix('p_')}"


def _thumbnail(file: File) -> str:
    try:
        content = thumbnail(imaging.open(file.read()), THUMBNAIL_PIXELS)
    except (Unreadable, imaging.PictureError):  # it was there a moment ago
        return "data:,"
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
