"""The table of series, made from the rows of the table of files: CSV or JSON lines, always written whole."""

import csv
import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.imaging import Kind
from app.model import series
from app.model.body_parts import BodyPart, suggested
from app.model.classifier import Outputs
from app.model.manifest import Manifest
from app.model.series import MIXED, Verdict
from app.scoring import ScoringError
from app.scoring.columns import PER_CLASS, SERIES_COLUMNS, UID_COLUMNS, Row, columns
from app.scoring.instances import Key, key, parts
from app.scoring.table import Table, as_text, written_whole

UIDS = UID_COLUMNS[:2]  # of study and series


class Finding(NamedTuple):
    """What a series shows, and what that means for its headers."""

    verdict: Verdict
    agrees: bool | None
    suggested: BodyPart | None


@dataclass(slots=True)
class Series:
    """What the rows of a series add up to."""

    files: int = 0
    errors: int = 0
    modalities: Counter[str] = field(default_factory=Counter)
    body_parts: Counter[str] = field(default_factory=Counter)
    agreements: set[tuple[object, object]] = field(default_factory=set)  # label and header_agrees of a row
    slices: list[series.Slice] = field(default_factory=list)
    answers: list["array[float] | None"] = field(default_factory=list)  # of each slice
    uids: Row = field(default_factory=dict)
    is_dicom: bool = False

    def add(self, row: Row, classes: Sequence[str]) -> None:
        self.files += 1
        self.errors += row["kind"] == Kind.UNREADABLE
        for counter, name in ((self.modalities, "header_modality"), (self.body_parts, "header_body_part")):
            counter.update([str(row[name])] if row[name] else [])
        self.agreements.add((row["label"], row["header_agrees"]))
        self.is_dicom = bool(row["series"])
        self.uids = {column.name: row.get(column.name) for column in UIDS}
        for part in parts(row, classes):
            self.slices.append(part.slice)
            self.answers.append(None if part.answer is None else array("f", map(float, part.answer)))

    @property
    def judged(self) -> int:
        return sum(answer is not None for answer in self.answers)

    def finding(self, manifest: Manifest, order: Sequence[int]) -> Finding | None:
        """None where no slice was judged. `order` is that of the slices."""
        if not (verdict := self._verdict(manifest, order)):
            return None
        regions = [*dict.fromkeys(each.label for each in verdict.ranges if each.label)]
        labels = regions if verdict.label == MIXED else [verdict.label] if verdict.label else []
        part = suggested(manifest.dicom, labels) if self.is_dicom else None
        return Finding(verdict, self._agrees(labels), part)

    def _verdict(self, manifest: Manifest, order: Sequence[int]) -> Verdict | None:
        judged = {at: answer for at, place in enumerate(order) if (answer := self.answers[place])}
        if not judged:
            return None
        answers = np.array([*judged.values()], np.float32)
        outputs = Outputs(answers[:, 1:], answers[:, 0] if manifest.ood else None)
        ordered = [self.slices[place] for place in order]
        return series.judge(manifest, ordered, outputs, series.commonest(self.modalities), [*judged])

    def pictured(self, order: Sequence[int]) -> str:
        """The file of the slice in the middle of those that were judged, or of all."""
        judged = [place for place in order if self.answers[place]] or order
        return self.slices[judged[len(judged) // 2]].name

    def _agrees(self, labels: Iterable[str | None]) -> bool | None:
        """Whether headers agree with any of these regions, by the rows of the slices that show it."""
        found = {agrees for label, agrees in self.agreements if label in [*labels] and agrees is not None}
        return any(found) if found else None


def rows(table: Iterable[Row], manifest: Manifest, by_folder: bool = False) -> Iterator[Row]:
    """A row for each series, in the order of their files' names, made from those of a table of files."""
    found: defaultdict[Key, Series] = defaultdict(Series)
    for row in table:
        if own := key(row, by_folder):
            found[own].add(row, manifest.classes)
    for own, one in sorted(found.items(), key=lambda item: (min(each.name for each in item[1].slices), item[0])):
        yield _row(own, one, manifest)


def _row(own: Key, one: Series, manifest: Manifest) -> Row:
    study, name = own
    order = series.order(one.slices)
    row: Row = {
        "study": study or None,
        "series": name,
        "header_modality": series.commonest(one.modalities),
        "files": one.files,
        "judged": one.judged,
        "header_body_part": series.commonest(one.body_parts),
        "errors": one.errors,
        "path": one.pictured(order),  # for the page; no column
    }
    if not (finding := one.finding(manifest, order)):
        return row | one.uids
    verdict, agrees, part = finding
    return row | {
        "label": verdict.label,
        "share": round(verdict.share, 4),
        **{f"p_{each}": value for each, value in verdict.probabilities.items()},
        "ranges": ", ".join(map(str, verdict.ranges)),
        "header_agrees": agrees,
        "suggested": str(part) if part else None,
        **one.uids,
    }


def check(path: Path) -> None:
    """Raises ScoringError where no table of series can be written to `path` without harm."""
    if path.suffix not in {".csv", ".jsonl"}:
        raise ScoringError(f"{path} is no .csv or .jsonl file.")
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        first = file.readline()
    try:
        names = next(csv.reader([first]), []) if path.suffix == ".csv" else [*json.loads(first or "{}")]
    except (ValueError, TypeError, RecursionError):
        names = [""]
    if names and not {column.name for column in SERIES_COLUMNS if column.name != PER_CLASS} <= {*names}:
        raise ScoringError(f"{path} is no table of series made here; choose another --series.")


def write(path: Path, found: Iterable[Row], table: Table) -> None:
    """Write rows made from those of `table` to `path`, which becomes that table of series when all is written."""
    names = columns(table.bundle.manifest, (*SERIES_COLUMNS, *UIDS) if table.uids else SERIES_COLUMNS)
    as_csv = path.suffix == ".csv"
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        if as_csv:
            csv.writer(file).writerow(names)
        file.writelines(as_text([row], names, as_csv) for row in found)
