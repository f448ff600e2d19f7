"""One run of `classify`: what is missing in the table is found, scored, added and counted."""

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import progress
from rich.console import Console, JustifyMethod
from rich.table import Column, Table as Grid
from rich.text import Text

from app.scoring.files import File, find
from app.scoring.scorer import Score
from app.scoring.summary import Summary
from app.scoring.table import Table, unfinished

MAX_REASONS = 10  # on the terminal; the page and the table have all
OnProgress = Callable[[int, int], None]  # is told the files done, and of how many


def classify(
    patterns: list[str], table: Table, score: Score, on_progress: OnProgress, report: Path | None = None
) -> Summary:
    """Add a row for every file that has none yet, save table and report themselves. Raises ScoringError."""
    own = [*table.paths, *([report, unfinished(report)] if report else [])]
    summary, done = Summary(table.bundle.manifest), set()
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
    """Print it, of the reasons the most frequent ones."""
    console = Console(markup=False, highlight=False)
    console.print(_grid([(name, f"{count:,}") for name, count in summary.counts()], "left", "right"))
    if summary.reasons:
        reasons = [(f"{count:,}", reason) for reason, count in summary.reasons.most_common(MAX_REASONS)]
        more = len(summary.reasons) - len(reasons)
        rest = [("", f"and {more:,} other reasons")] if more else []
        console.print("\nCould not be read:", _grid(reasons + rest, "right", "left"), sep="\n")
    console.print("", *summary.remarks(), sep="\n")


def _grid(rows: Iterable[tuple[str, str]], *justify: JustifyMethod) -> Grid:
    grid = Grid(*(Column(justify=each) for each in justify), show_header=False, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*row)
    return grid
