"""One page a run or an evaluation: what was trained, and what it was measured to do, with all charts in reading order."""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

import app
from app.model.bundle import CARD, Bundle
from app.model.manifest import Manifest
from training import card, words
from training.sections import CONTENTS, FAILS, FIGURES, FILES, MODEL, TRAINED, Section
from training.split import SPLITS, Split
from training.words import SECTIONS, Rows, counted, percent

REPORT = "report.html"
TEMPLATE = Path(__file__).with_suffix(".html")
STYLE = Path(app.__file__).parent / "web" / "style.css"  # of the service's page


def write(folder: Path, bundle: Bundle, split: Split, model: str = "", logs: Path | None = None) -> None:
    """Write the page into `folder`, with the charts and montages that lie there.

    `model` is Keras' summary and `logs` TensorBoard's folder, where there are such.
    """
    texts = {
        TRAINED: _facts(_trained(bundle.manifest)) + _parts(split),
        MODEL: f"<pre>{escape(model)}</pre>\n" if model else "",
        FIGURES: _table(["value"], words.headlines(bundle.manifest.metrics)),
        FAILS: _list(words.failures(bundle.manifest.metrics)),
        FILES: _facts(_files(folder, bundle, logs)),
    }
    bodies = {section: _body(section, folder, bundle.manifest) + texts.get(section.heading, "") for section in CONTENTS}
    shown = [(number, section, body) for number, (section, body) in enumerate(bodies.items()) if body]
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=STYLE.read_text(encoding="utf-8"),
        title=escape(f"{bundle.title}, preset {bundle.manifest.training['preset']}"),
        links=" · ".join(f'<a href="#{number}">{section.heading}</a>' for number, section, _ in shown),
        sections="".join(
            f'<h2 id="{number}">{section.heading}</h2>\n<p>{section.says}</p>\n{body}'
            for number, section, body in shown
        ),
    )
    (folder / REPORT).write_text(page, encoding="utf-8")


def _body(section: Section, folder: Path, manifest: Manifest) -> str:
    """Its pictures and tables, as far as there are any."""
    files = [path for pattern in section.pictures for path in sorted(folder.glob(pattern))]
    images = [
        f'<img alt="{section.heading}: {path.stem}" src="{quote(path.relative_to(folder).as_posix())}">\n'
        for path in files
    ]
    found = words.sections(manifest.metrics)
    tables = [
        f"<h3>{escape(title)}</h3>\n{_table([*SECTIONS[title].values()], found[title])}"
        for title in section.tables
        if title in found
    ]
    return "".join(images + tables)


def _trained(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Facts about a training, each a term and HTML."""
    training, data = manifest.training, manifest.data
    yield (
        "Data",
        escape(f"{data['source']}: {data['pictures']:,} pictures, split {data['split']}, seed {training['seed']}"),
    )
    if "companions" in data:
        yield "Companions", escape(card.companions(manifest))
    yield (
        "Preset",
        escape(f"{training['preset']}, which sees {manifest.input.size} × {manifest.input.size} grey pixels"),
    )
    if changed := " ".join(card.overrides(manifest)):
        yield "Changed", f"{_code(changed)} in place of the preset's own"
    yield "Trained", escape(card.trained(manifest))
    yield "Again", _code(card.command(manifest))


def _parts(split: Split) -> str:
    """How many pictures of each class play which part."""
    rows = [split.pictures.labels[split.rows(name)] for name in SPLITS]
    lines = [
        _row(name, [f"{(labels == index).sum():,}" for labels in rows])
        for index, name in enumerate(split.pictures.classes)
    ]
    return _tabled(["class", "to learn from", "to validate", "to test"], lines)


def _files(folder: Path, bundle: Bundle, logs: Path | None) -> Iterator[tuple[str, str]]:
    to_card = quote(os.path.relpath(bundle.folder / CARD, folder))
    yield "Bundle", _code(str(bundle.folder.resolve()))
    yield "Its card", f'<a href="{to_card}">{CARD}</a>'
    if logs:
        command = [str(Path(sys.executable).with_name("tensorboard")), "--logdir", str(logs.resolve())]
        yield "TensorBoard", f"{_code(shlex.join(command))} prints an address to open"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _facts(facts: Iterator[tuple[str, str]]) -> str:
    return "<dl>\n" + "".join(f"<dt>{term}</dt><dd>{html}</dd>\n" for term, html in facts) + "</dl>\n"


def _list(lines: Iterable[str]) -> str:
    return "<ul>\n" + "".join(f"<li>{escape(line)}</li>\n" for line in lines) + "</ul>\n"


def _table(columns: list[str], rows: Rows) -> str:
    lines = [
        _row(name, [*(percent(metric) if metric else "–" for metric in metrics), counted(metrics)])
        for name, metrics in rows.items()
    ]
    return _tabled(["", *columns, "pictures"], lines)


def _tabled(columns: list[str], lines: list[str]) -> str:
    head = "".join(f"<th>{column}</th>" for column in columns)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{"".join(lines)}</tbody></table></div>\n'


def _row(name: str, cells: list[str]) -> str:
    return f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"
