"""Judged bundles side by side, as tables that a terminal of 80 columns shows with no value broken."""

from collections.abc import Iterable, Iterator

import numpy as np
from rich.table import Table
from rich.text import Text

from app.model.manifest import Metric
from training import words
from training.compare import Judged
from training.words import CHANGES, HEADLINES, percent

MIN_WIDTH, MAX_WIDTH = 80, 120  # characters a line; more only if the terminal has them, for long names of sources
VALUE_WIDTH, COUNTS_WIDTH = 23, 12  # characters of 100.00% (100.00–100.00) and of 5,300, 5,296
CLASSES_ABREAST = 6  # in a table; more classes have another below it


def figures(judged: list[Judged], width: int) -> Iterator[Table]:
    """A table a group of figures, all of one width: a row a figure, a column a bundle, and how many pictures."""
    found = [one.found.metrics for one in judged]
    names = min(max(width, MIN_WIDTH), MAX_WIDTH) - COUNTS_WIDTH - (1 + VALUE_WIDTH) * len(judged) - 1
    yield _of_bundles("", judged, names, [])
    for heading, meanings in words.grouped({key: None for metrics in found for key in metrics}):
        rows = [(meaning, [metrics.get(key) for metrics in found]) for key, meaning in meanings.items()]
        if rows:
            yield _of_bundles(heading, judged, names, [(name, *map(_cell, row), _counts(row)) for name, row in rows])
    yield _of_bundles("Cost", judged, names, _cost(judged))


def changes(judged: list[Judged]) -> Iterator[Table]:
    """Of each bundle a row a change: the share right with its interval, and each class's recall."""
    for one in judged:
        classes = range(len(one.bundle.manifest.classes))
        for start in classes[::CLASSES_ABREAST]:
            yield _by_class(one, classes[start : start + CLASSES_ABREAST])


def _of_bundles(heading: str, judged: list[Judged], names: int, rows: Iterable[tuple[str, ...]]) -> Table:
    """With the bundles' names over the columns where it has no heading of its own; `names` are characters for the rows'."""
    table = titled(heading, show_header=not heading)
    table.add_column(width=names, overflow="fold")
    for one in judged:
        name = f"{one.preset}\n{one.bundle.manifest.name}\n{one.bundle.manifest.version}"
        table.add_column(name, width=VALUE_WIDTH, overflow="fold")
    table.add_column("pictures\n(origins)", width=COUNTS_WIDTH)
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def _by_class(one: Judged, classes: range) -> Table:
    metrics, names = one.found.metrics, one.bundle.manifest.classes
    table = titled(f"Right on the changed test split, and by class: {one.preset}, {one.bundle.title}")
    table.add_column("change", overflow="fold")
    table.add_column(f"right of {metrics['changed_mean'].n:,}", no_wrap=True)
    for index in classes:
        table.add_column(Text(names[index]), justify="right", overflow="fold")
    for name, scores in one.found.corrupted.items():
        recalls = [np.mean(scores.right[scores.labels == index]) for index in classes]
        cells = CHANGES.get(name, name), _cell(metrics[f"changed_{name}"]), *(f"{recall:.0%}" for recall in recalls)
        table.add_row(*cells)
    for key, meaning in HEADLINES["Test split, changed"].items():
        table.add_row(meaning, _cell(metrics[key]))
    return table


def titled(title: str, show_header: bool = True) -> Table:
    """A table below a blank line and its title."""
    shown = Text(f"\n{title}", "bold") if title else None
    return Table(
        title=shown, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=show_header
    )


def _cost(judged: list[Judged]) -> Iterator[tuple[str, ...]]:
    yield "parameters", *(f"{one.bundle.manifest.training['parameters']:,}" for one in judged)
    for count in judged[0].milliseconds:
        yield f"ms for {count} on one core", *(f"{one.milliseconds[count]:.2f}" for one in judged)


def _counts(metrics: list[Metric | None]) -> str:
    """Of all bundles, or of each where they differ."""
    found = [f"{one.n:,} ({one.origins})" if one.origins else f"{one.n:,}" for one in metrics if one]
    return ", ".join(dict.fromkeys(found))


def _cell(metric: Metric | None) -> str:
    return percent(metric) if metric else "–"
