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

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.files += 1
            self.errors += row["error"] is not None
            self.refused += is_refused(row)
            self.disagreements += disagrees(row)
            if row["label"] is not None:
                self.labels[str(row["label"])] += 1

    def lines(self) -> Iterator[tuple[str, int]]:
        yield from sorted(self.labels.items())
        yield "none of the classes", self.refused
        yield "errors", self.errors
        yield "header says otherwise", self.disagreements
        yield "files", self.files


def is_refused(row: Row) -> bool:
    """A picture of none of the classes."""
    return row["accepted"] is False


def disagrees(row: Row) -> bool:
    """Its header names another body part."""
    return row["agrees"] is False
