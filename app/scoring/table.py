"""The table of predictions, as CSV, JSON lines or Parquet. It only grows, and a kill costs no row that was written."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from time import monotonic

from app.model.bundle import Bundle
from app.scoring import ScoringError, missing_package, parquet
from app.scoring.columns import COLUMNS, UID_COLUMNS, Row, Value, columns

SECONDS_BETWEEN_SYNCS = 1.0
csv.field_size_limit(2**27)  # the answers of ten thousand frames are longer than what it allows


class Table:
    """Rows on disk, gone on with where an earlier run with the same bundle stopped. Raises ScoringError.

    CSV and JSON lines are appended to. Parquet cannot be: its rows wait in a JSON lines file beside it until the end.
    """

    def __init__(self, path: Path, bundle: Bundle, uids: bool = False) -> None:
        self.path, self._columns = path, columns(bundle.manifest, (*COLUMNS, *UID_COLUMNS) if uids else COLUMNS)
        self.parts = path.with_name(f"{path.name}.parts")  # where a cluster leaves what is finished
        if path.suffix not in {".csv", ".jsonl", ".parquet"}:
            raise ScoringError(f"{path} is no .csv, .jsonl or .parquet file.")
        self._journal = path.with_name(f".{path.name}.jsonl") if path.suffix == ".parquet" else path
        self._as_csv = path.suffix == ".csv"
        if path.suffix == ".parquet" and find_spec("pyarrow") is None:
            raise missing_package("Parquet", "pyarrow")
        self.bundle, self.uids = bundle, uids

    def __enter__(self) -> "Table":
        if self._journal != self.path and not self._journal.exists() and self.path.exists():
            self._reopen()
        if self._journal.exists():
            _drop_torn_line(self._journal)
        self._file = self._journal.open("a", encoding="utf-8", newline="")
        self._synced = monotonic()
        if self._as_csv and not self._file.tell():
            csv.writer(self._file).writerow(self._columns)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._sync()
        finally:
            self._file.close()
        if self._journal != self.path:
            with written_whole(self.path) as part:
                parquet.write(self._read_journal(), self._columns, part)
            self._journal.unlink()

    @property
    def paths(self) -> list[Path]:
        """What there may be of this table: it may lie among the files it is about."""
        return [self.parts, *(name for path in (self.path, self._journal) for name in (path, unfinished(path)))]

    def append(self, rows: Sequence[Row]) -> None:
        self._file.write(as_text(rows, self._columns, self._as_csv))
        self._file.flush()  # a kill loses nothing that was written; only a power cut asks for the next
        if monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            self._sync()

    def rows(self) -> Iterator[Row]:
        """Rows as they were written, but for a last one that a kill cut short. Raises ScoringError."""
        found = (
            self._read_journal() if self._journal.exists() else parquet.read(self.path) if self.path.exists() else ()
        )
        try:
            for row in found:
                self._check([*row], row.get("model"))
                yield {name: self._value(name, text) for name, text in row.items()} if self._as_csv else row
        except (ValueError, TypeError, AttributeError) as error:
            raise ScoringError(f"{self.path} is not a table made here; choose another --out.") from error

    def count(self) -> int:
        """Rows on disk, by its lines: no cell has a line end in it."""
        if not self._journal.exists():
            return parquet.count(self.path) if self.path.exists() else 0
        with self._journal.open("rb") as file:
            return sum(line.endswith(b"\n") for line in file) - self._as_csv

    def _check(self, names: Sequence[str], model: Value) -> None:
        """Raises ScoringError where rows with these columns, by this model, have no place here."""
        if isinstance(model, str) and model != self.bundle.title:
            raise ScoringError(
                f"{self.path} was made with {model}, not with {self.bundle.title}; choose another --out."
            )
        for own, other in zip_longest(self._columns, names):
            if own != other:
                strange = not own or own in names
                what = f"a column {other} that does not belong there" if strange else f"no column {own}"
                raise ScoringError(f"{self.path} has {what}; choose another --out.")

    def _reopen(self) -> None:
        """Make a journal of a finished Parquet, all of it or none: it will take the Parquet's place."""
        with written_whole(self._journal) as part, part.open("w", encoding="utf-8") as file:
            file.writelines(as_text([row], self._columns, self._as_csv) for row in self.rows())

    def _read_journal(self) -> Iterator[Row]:
        with self._journal.open(encoding="utf-8", newline="") as file:
            lines = (line for line in file if line.endswith("\n"))
            if not self._as_csv:
                yield from (json.loads(line) for line in lines)
                return
            reader = csv.DictReader(lines)
            yield from reader
            if reader.line_num == 1:  # a head alone
                self._check(reader.fieldnames or (), self.bundle.title)

    def _value(self, name: str, text: Value) -> Value:
        kind = self._columns[name]
        if not text:
            return None
        return text == "true" if kind is bool else kind(text)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = monotonic()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` when all is written, and is gone where that fails."""
    part = unfinished(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def unfinished(path: Path) -> Path:
    """What `written_whole` calls it until it is."""
    return path.with_name(f".{path.name}.part")


def as_text(rows: Iterable[Row], columns: Iterable[str], as_csv: bool) -> str:
    """Lines of CSV or JSON, empty or null in columns that a row has not."""
    if not as_csv:
        return "".join(json.dumps({name: row.get(name) for name in columns}) + "\n" for row in rows)
    file = io.StringIO()
    csv.writer(file).writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return file.getvalue()


def _cell(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value


def _drop_torn_line(path: Path) -> None:
    """Cut off what a kill has left of a last line."""
    with path.open("rb+") as file:
        file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))
