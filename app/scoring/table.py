"""The table of predictions, as CSV, JSON lines or Parquet. It only grows, and a kill costs no row that was written."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from time import monotonic

from app.model.bundle import Bundle
from app.scoring import ScoringError
from app.scoring.columns import Row, Value, columns

SECONDS_BETWEEN_SYNCS = 1.0
PARQUET_BATCH_ROWS = 10_000


class Table:
    """Rows on disk, gone on with where an earlier run with the same bundle stopped. Raises ScoringError.

    CSV and JSON lines are appended to. Parquet cannot be: its rows wait in a JSON lines file beside it until the end.
    """

    def __init__(self, path: Path, bundle: Bundle) -> None:
        self.path, self._columns = path, columns(bundle.manifest)
        self.parts = path.with_name(f"{path.name}.parts")  # where a cluster leaves what is finished
        if path.suffix not in {".csv", ".jsonl", ".parquet"}:
            raise ScoringError(f"{path} is no .csv, .jsonl or .parquet file.")
        self._journal = path.with_name(f".{path.name}.jsonl") if path.suffix == ".parquet" else path
        self._as_csv = path.suffix == ".csv"
        if path.suffix == ".parquet" and find_spec("pyarrow") is None:
            raise ScoringError("Parquet needs pyarrow: pip install bodyregion[parquet].")
        self.bundle = bundle

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
            _to_parquet(self._read_journal(), self._columns, self.path)
            self._journal.unlink()

    @property
    def paths(self) -> list[Path]:
        """What there may be of this table: it may lie among the files it is about."""
        return [self.parts, *(name for path in (self.path, self._journal) for name in (path, unfinished(path)))]

    def append(self, rows: Sequence[Row]) -> None:
        self._file.write(self._text(rows))
        self._file.flush()  # a kill loses nothing that was written; only a power cut asks for the next
        if monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            self._sync()

    def rows(self) -> Iterator[Row]:
        """Rows as they were written, but for a last one that a kill cut short. Raises ScoringError."""
        written = self._journal.exists() or self.path.exists()
        found = self._read_journal() if self._journal.exists() else _from_parquet(self.path) if written else ()
        for row in found:
            if row.keys() != self._columns.keys() or row["model"] != self.bundle.title:
                raise self._foreign()
            yield row

    def _foreign(self) -> ScoringError:
        return ScoringError(f"{self.path} was made with another model, or is no such table; name another file.")

    def _reopen(self) -> None:
        """Make a journal of a finished Parquet, all of it or none: it will take the Parquet's place."""
        with written_whole(self._journal) as part, part.open("w", encoding="utf-8") as file:
            file.writelines(self._text([row]) for row in self.rows())

    def _text(self, rows: Iterable[Row]) -> str:
        if not self._as_csv:
            return "".join(json.dumps({name: row[name] for name in self._columns}) + "\n" for row in rows)
        file = io.StringIO()
        csv.writer(file).writerows([_cell(row[name]) for name in self._columns] for row in rows)
        return file.getvalue()

    def _read_journal(self) -> Iterator[Row]:
        with self._journal.open(encoding="utf-8", newline="") as file:
            lines = (line for line in file if line.endswith("\n"))
            try:
                if self._as_csv:
                    reader = csv.DictReader(lines)
                    if reader.fieldnames is not None and [*reader.fieldnames] != [*self._columns]:
                        raise self._foreign()
                    yield from ({name: self._value(name, text) for name, text in row.items()} for row in reader)
                else:
                    yield from (json.loads(line) for line in lines)
            except (ValueError, TypeError, AttributeError) as error:
                raise ScoringError(f"{self.path} is not a table made here; name another file.") from error

    def _value(self, name: str, text: str) -> Value:
        kind = self._columns.get(name, str)
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


def _cell(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value


def _drop_torn_line(path: Path) -> None:
    """Cut off what a kill has left of a last line."""
    with path.open("rb+") as file:
        file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))


def _to_parquet(rows: Iterator[Row], kinds: dict[str, type], path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    with written_whole(path) as part, ParquetWriter(part, schema) as writer:
        while batch := list(islice(rows, PARQUET_BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _from_parquet(path: Path) -> Iterator[Row]:
    from pyarrow.parquet import ParquetFile

    try:
        for batch in ParquetFile(path).iter_batches(PARQUET_BATCH_ROWS):
            yield from batch.to_pylist()
    except (OSError, ValueError) as error:
        raise ScoringError(f"{path} is not a table made here; name another file.") from error
