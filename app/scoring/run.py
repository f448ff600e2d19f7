"""One run of `classify`: what is missing in the table is found, scored, added and counted."""

import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from rich import progress
from rich.console import Console, JustifyMethod
from rich.table import Column, Table as Grid
from rich.text import Text

from app.scoring import ScoringError, series
from app.scoring.columns import Row
from app.scoring.files import File
from app.scoring.finding import find
from app.scoring.report import write_report
from app.scoring.sampling import Sample
from app.scoring.scorer import Score
from app.scoring.summary import Summary
from app.scoring.table import Table, unfinished

EVERY_FRAME = range(sys.maxsize)
ROWS_AT_ONCE = 64
MAX_REASONS = 10  # on the terminal; the page and the table have all


class Beside(NamedTuple):
    """What is made beside the table of files, and which slices are judged for it."""

    report: Path | None = None
    series: Path | None = None
    slices: int | None = None  # of each series; None: all
    by_folder: bool = False  # whether files without a series are those of their folder

    def check(self, table: Table) -> None:
        """Raises ScoringError where one of these is no place for it."""
        if self.report and self.report.suffix not in {".html", ".htm"}:
            raise ScoringError(f"{self.report} is no .html or .htm file.")
        if self.series:
            series.check(self.series)
        if self.series and self.series.resolve() == table.path.resolve():
            raise ScoringError("The table of series needs another name than that of files.")
        for path in self.paths:
            if not path.parent.is_dir():
                raise ScoringError(f"There is no folder {path.parent}.")

    @property
    def paths(self) -> list[Path]:
        """What there may be of these: they may lie among the files they are about."""
        return [name for path in (self.report, self.series) if path for name in (path, unfinished(path))]


def classify(patterns: list[str], table: Table, score: Score, beside: Beside, keep: bool) -> str:
    """Add a row for every file that has none yet, except for what is made here, and say how it went. Raises ScoringError.

    To `keep` is to have scratch space for what is read of packed archives before it is judged.
    """
    beside.check(table)
    with TemporaryFile() if keep and beside.slices else nullcontext() as scratch:
        summary = _add_missing(patterns, table, score, beside, scratch)
    found = [*series.rows(table.rows(), table.bundle.manifest, beside.by_folder)] if beside.series else []
    if beside.series:
        series.write(beside.series, found, table)
    if beside.report:
        write_report(beside.report, patterns, table, summary, found, beside.series)
    _show(summary)
    return _ending(table, summary, beside, len(found))


def _add_missing(patterns: list[str], table: Table, score: Score, beside: Beside, scratch: BinaryIO | None) -> Summary:
    own = [*table.paths, *beside.paths]
    summary, done = Summary(table.bundle.manifest), set[object]()
    sample = Sample(table.bundle, beside.slices, beside.by_folder, scratch) if beside.slices else None
    with Console(stderr=True).status("Looking for files"):
        for row in table.rows():
            summary.add([row])
            done.add(row["path"])
            if sample:
                sample.add_row(row)
        missing = Counter(file.name not in done for file in find(patterns, own))
    _begin(patterns, table, len(done), missing)
    try:
        passed, files = _plan(find(patterns, own), done, missing[True], sample, all_frames=bool(beside.series))
        with table, _progress("files", missing[True]) as on_progress:
            for rows in chain(iter(lambda: list(islice(passed, ROWS_AT_ONCE)), []), score(files)):
                table.append(rows)
                summary.add(rows)
                on_progress(len(rows))
    except (KeyboardInterrupt, SystemExit):
        # Not by the summary: a signal may come between a row's way to the disk and into that.
        _say(f"stopped: {_counted(table.count(), 'row')} are kept in {table.path}; the same command goes on")
        raise
    return summary


def _plan(
    found: Iterator[File], done: Container[object], count: int, sample: Sample | None, all_frames: bool
) -> tuple[Iterator[Row], Iterator[File]]:
    """Rows of files that are passed over, and the files to judge, with their frames."""
    if not sample:
        files = (file for file in found if file.name not in done)
        return iter(()), (replace(file, frames=EVERY_FRAME) for file in files) if all_frames else files
    with _progress("headers", count) as on_progress:
        for file in found:
            if file.name in done:
                sample.pass_by(file)
            else:
                sample.add_file(file)
                on_progress(1)
    return sample.passed_over(), sample.files()


def _begin(patterns: list[str], table: Table, rows: int, missing: Counter[bool]) -> None:
    """Say what there is to do, where that is not all files that there are."""
    if not missing:
        _say(f"There are no files at {' '.join(patterns)}.")
    elif not missing[True]:
        _say(f"Nothing is left to do: every file has its row in {table.path}.")
    elif rows:
        _say(f"{table.path} has {_counted(rows, 'row')}; {_counted(missing[True], 'file')} to do.")


def _ending(table: Table, summary: Summary, beside: Beside, found: int) -> str:
    """Where the results are, with how many series were found."""
    of_series = f"; {beside.series}, {found:,} series" if beside.series else ""
    page = f"; open {beside.report}" if beside.report else ""
    return f"{table.path}, {_counted(summary.files, 'row')}{of_series}{page}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + "s" * (count != 1)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


class _Rate(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} files/s")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, with rate and time left, that is told how many files are done; none for no files."""
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        _Rate(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), disable=not total) as bar:
        yield partial(bar.advance, bar.add_task(what, total=total))


def _show(summary: Summary) -> None:
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
