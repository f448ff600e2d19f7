"""One run of `classify`: what is missing in the table is found, judged and added."""

from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from app.model.bundle import Bundle
from app.scoring import page, pool
from app.scoring.files import File, find
from app.scoring.summary import Summary
from app.scoring.table import Row, Table

MOST_BYTES = 512 * 2**20  # of one file

Score = Callable[[Iterable[File]], Iterator[list[Row]]]
Watch = Callable[[int, int], None]  # is told the files done, and of how many


def classify(wanted: list[str], table: Table, score: Score, watch: Watch) -> Summary:
    """Add a row for every file that has none yet. Raises ScoringError."""
    summary, done = Summary(), set()
    for row in table.rows():
        summary.add([row])
        done.add(row["path"])
    total = sum(1 for _ in missing(wanted, table, done))
    watch(0, total)
    with table:
        for rows in score(missing(wanted, table, done)):
            table.append(rows)
            summary.add(rows)
            watch(summary.files - len(done), total)
    return summary


def missing(wanted: list[str], table: Table, done: Container[object]) -> Iterator[File]:
    return (file for file in find(wanted) if file.name not in done and not table.owns(file.path))


def on_all_cores(bundle: Bundle, processes: int) -> Score:
    return lambda files: pool.score(files, bundle, MOST_BYTES, processes)


def report(path: Path, wanted: list[str], table: Table, summary: Summary) -> None:
    page.write(path, find(wanted), table.rows(), summary, MOST_BYTES)
