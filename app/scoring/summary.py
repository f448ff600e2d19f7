"""What a table says in a few lines."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.scoring.table import Row


@dataclass(slots=True)
class Summary:
    """Counts over a whole table."""

    files: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    errors: int = 0
    disagreements: int = 0

    def lines(self) -> Iterator[tuple[str, int]]:
        yield from sorted(self.labels.items())
        yield "none of the classes", self.refused
        yield "errors", self.errors
        yield "header says otherwise", self.disagreements
        yield "files", self.files


def summarise(rows: Iterable[Row]) -> Summary:
    summary = Summary()
    for row in rows:
        summary.files += 1
        summary.errors += row["error"] is not None
        summary.refused += is_refused(row)
        summary.disagreements += disagrees(row)
        if row["label"] is not None:
            summary.labels[str(row["label"])] += 1
    return summary


def is_refused(row: Row) -> bool:
    """A picture of none of the classes."""
    return row["accepted"] is False


def disagrees(row: Row) -> bool:
    """Its header names another body part."""
    return row["agrees"] is False
