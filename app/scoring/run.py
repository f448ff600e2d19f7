"""One run of `classify`: what is missing in the table is found, scored, added and counted."""

import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich import progress
from rich.console import Console, JustifyMethod
from rich.table import Column, Table as Grid
from rich.text import Text

from app.scoring import ScoringError
from app.scoring.files import File, find
from app.scoring.scorer import Score
from app.scoring.summary import Summary
from app.scoring.table import Table, unfinished

MAX_REASONS = 10  # on the terminal; the page and the table have all


def classify(patterns: list[str], table: Table, score: Score, report: Path | None = None) -> Summary:
    """Add a row for every file that has none yet, except for table and report themselves. Raises ScoringError."""
    if report and report.suffix not in {".html", ".htm"}:
        raise ScoringError(f"{report} is no .html or .htm file.")
    own = [*table.paths, *([report, unfinished(report)] if report else [])]
    summary, done = Summary(table.bundle.manifest), set[object]()
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
        # Not by the summary: a signal may come between a row's way to the disk and into that.
        _say(f"stopped: {_counted(table.count(), 'row')} are kept in {table.path}; the same command goes on")
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
    """Print it, of the reasons the most frequent ones."""
    console = Console(markup=False, highlight=False)
    console.print(_grid([(name, f"{count:,}") for name, count in summary.counts()], "left", "right"))
    if summary.reasons:
        reasons = [(f"{count:,}", reason) for reason, count in summary.reasons.most_common(MAX_REASONS)]
        more = len(summary.reasons) - len(reasons)
        rest = [("", f"and {more:,} other reasons")] if more else []
        console.print("\nCould not be read:", _grid(reasons + rest, "right", "left"), sep="\n")
    if remarks := "\n".join(summary.remarks()):
        console.print(f"\n{remarks}")
    console.print()


def _grid(rows: Iterable[tuple[str, str]], *justify: JustifyMethod) -> Grid:
    grid = Grid(*(Column(justify=each) for each in justify), show_header=False, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*row)
    return grid
