"""One run of `classify`: what is missing in the table is found, scored, added and counted."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich import progress
from rich.console import Console
from rich.table import Column, Table as Grid
from rich.text import Text

from app.scoring.columns import Row
from app.scoring.files import File, find
from app.scoring.scorer import Score
from app.scoring.table import Table, unfinished

OnProgress = Callable[[int, int], None]  # is told the files done, and of how many


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


def classify(
    patterns: list[str], table: Table, score: Score, on_progress: OnProgress, report: Path | None = None
) -> Summary:
    """Add a row for every file that has none yet, save table and report themselves. Raises ScoringError."""
    own = [*table.paths, *([report, unfinished(report)] if report else [])]
    summary, done = Summary(), set()
    for row in table.rows():
        summary.add([row])
        done.add(row["path"])
    total = sum(1 for _ in _missing(patterns, own, done))
    on_progress(0, total)
    with table:
        for rows in score(_missing(patterns, own, done)):
            table.append(rows)
            summary.add(rows)
            on_progress(summary.files - len(done), total)
    return summary


def _missing(patterns: list[str], own: list[Path], done: Container[object]) -> Iterator[File]:
    return (file for file in find(patterns, own) if file.name not in done)


class _Rate(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} files/s")


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """A bar on standard error, with rate and time left."""
    columns = progress.BarColumn(), progress.MofNCompleteColumn(), _Rate(), progress.TimeRemainingColumn()
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("files", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(summary: Summary) -> None:
    grid = Grid(Column(), Column(justify="right"), show_header=False, box=None)
    for name, count in summary.lines():
        grid.add_row(name, f"{count:,}")
    Console().print(grid)
