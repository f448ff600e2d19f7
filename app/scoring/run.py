"""One run of `classify`: what is missing in the table is found, scored, added and counted."""

import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich import progress
from rich.console import Console
from rich.table import Column, Table as Grid
from rich.text import Text

from app.scoring import ScoringError
from app.scoring.columns import Row
from app.scoring.files import File, find
from app.scoring.scorer import Score
from app.scoring.table import Table, unfinished


@dataclass(slots=True)
class Summary:
    """Counts over a whole table."""

    files: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    out_of_distribution: int = 0
    errors: int = 0
    disagreements: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.files += 1
            self.errors += row["error"] is not None
            self.out_of_distribution += is_out_of_distribution(row)
            self.disagreements += disagrees(row)
            if row["label"] is not None:
                self.labels[str(row["label"])] += 1

    def lines(self) -> Iterator[tuple[str, int]]:
        yield from sorted(self.labels.items())
        yield "none of the classes", self.out_of_distribution
        yield "errors", self.errors
        yield "header says otherwise", self.disagreements
        yield "files", self.files


def is_out_of_distribution(row: Row) -> bool:
    return row["accepted"] is False


def disagrees(row: Row) -> bool:
    """Whether its header names another body part."""
    return row["header_agrees"] is False


def classify(patterns: list[str], table: Table, score: Score, report: Path | None = None) -> Summary:
    """Add a row for every file that has none yet, except for table and report themselves. Raises ScoringError."""
    if report and report.suffix not in {".html", ".htm"}:
        raise ScoringError(f"{report} is no .html or .htm file.")
    own = [*table.paths, *([report, unfinished(report)] if report else [])]
    summary, done = Summary(), set[object]()
    with Console(stderr=True).status("Looking for files"):
        for row in table.rows():
            summary.add([row])
            done.add(row["path"])
        missing = Counter(file.name not in done for file in find(patterns, own))
    _begin(patterns, table, len(done), missing)
    try:
        with table, _progress(missing[True]) as on_progress:
            for rows in score(_missing(patterns, own, done)):
                table.append(rows)
                summary.add(rows)
                on_progress(len(rows))
    except (KeyboardInterrupt, SystemExit):
        _say(f"stopped: {summary.files:,} rows are kept in {table.path}; the same command goes on")
        raise
    return summary


def _begin(patterns: list[str], table: Table, rows: int, missing: Counter[bool]) -> None:
    """Say what there is to do, where that is not all files that there are."""
    if not missing:
        _say(f"There are no files at {' '.join(patterns)}.")
    elif not missing[True]:
        _say(f"Nothing is left to do: every file has its row in {table.path}.")
    elif rows:
        _say(f"{table.path} has {_counted(rows, 'row')}; {_counted(missing[True], 'file')} to do.")


def ending(table: Table, summary: Summary, report: Path | None) -> str:
    """Where the results are."""
    return f"{table.path}, {_counted(summary.files, 'row')}" + (f"; open {report}" if report else "")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + "s" * (count != 1)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _missing(patterns: list[str], own: list[Path], done: Container[object]) -> Iterator[File]:
    return (file for file in find(patterns, own) if file.name not in done)


class _Rate(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} files/s")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, with rate and time left, that is told how many files are done; none for no files."""
    columns = progress.BarColumn(), progress.MofNCompleteColumn(), _Rate(), progress.TimeRemainingColumn()
    with progress.Progress(*columns, console=Console(stderr=True), disable=not total) as bar:
        yield partial(bar.advance, bar.add_task("files", total=total))


def show(summary: Summary) -> None:
    grid = Grid(Column(), Column(justify="right"), show_header=False, box=None)
    for name, count in summary.lines():
        grid.add_row(name, f"{count:,}")
    Console().print(grid)
