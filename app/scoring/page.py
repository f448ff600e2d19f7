"""One self-contained page for the person who has to check: counts, disagreements and refusals, each with its picture."""

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path

from app import imaging
from app.imaging import PictureError
from app.imaging.preview import thumbnail
from app.scoring.files import File, Unreadable
from app.scoring.summary import Summary, disagrees, is_refused
from app.scoring.table import Row, whole

SHOWN = 300  # of each kind: a page with thousands of pictures does not open
SIDE = 128  # pixels of a thumbnail
KINDS = {"The header says otherwise": disagrees, "None of the classes": is_refused}

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


def write(path: Path, files: Iterable[File], rows: Iterable[Row], summary: Summary, most_bytes: int) -> None:
    """`files` are all there may be; only those on the page are read again."""
    chosen: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    model = "no model"
    for row in rows:
        model = str(row["model"])
        for kind, belongs in KINDS.items():
            if belongs(row) and len(chosen[kind]) < SHOWN:
                chosen[kind].append(row)
    names = {row["path"] for some in chosen.values() for row in some}
    found = {file.name: file for file in files if file.name in names}
    counts = "".join(f"<tr><td>{escape(name)}</td><td>{count:,}</td></tr>\n" for name, count in summary.lines())
    totals = summary.disagreements, summary.refused
    parts = zip(chosen.items(), totals, strict=True)
    sections = "".join(_section(kind, some, total, found, most_bytes) for (kind, some), total in parts)
    with whole(path) as unfinished:
        unfinished.write_text(PAGE.format(model=escape(model), counts=counts, sections=sections), encoding="utf-8")


def _section(kind: str, rows: list[Row], total: int, files: dict[str, File], most_bytes: int) -> str:
    entries = "".join(_entry(row, files.get(str(row["path"])), most_bytes) for row in rows)
    fewer = f", the first {len(rows)} of them here" if total > len(rows) else ""
    return f"<h2>{escape(kind)}</h2>\n<p>{total:,}{fewer}</p>\n<ul>\n{entries}</ul>\n"


def _entry(row: Row, file: File | None, most_bytes: int) -> str:
    header = " ".join(str(row[name]) for name in ("modality", "body_part") if row[name])
    said = f"<br>header: {escape(header)}" if header else ""
    image = "" if file is None else f'<img alt="" src="{_thumbnail(file, most_bytes)}">'
    return f"<li>{image}{escape(_seen(row))}{said}<br>{escape(str(row['path']))}</li>\n"


def _seen(row: Row) -> str:
    if row["label"] is not None:
        return f"{row['label']}, {row['confidence']:.0%} sure"
    nearest = max((name for name in row if name.startswith("p_")), key=lambda name: float(row[name] or 0))
    return f"none of the classes; nearest is {nearest.removeprefix('p_')}"


def _thumbnail(file: File, most_bytes: int) -> str:
    try:
        content = thumbnail(imaging.open(file.read(most_bytes)), SIDE)
    except (Unreadable, PictureError):  # it was there a moment ago
        return "data:,"
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
