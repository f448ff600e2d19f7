"""What of the tables a person should look at: pictures one by one and files in groups, the first of each."""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from app.imaging import Kind
from app.model.series import MIXED
from app.scoring.columns import Row
from app.scoring.summary import WEAK_CONFIDENCE, Summary, content, disagrees, is_refused, is_weak, none_of

MAX_ENTRIES = 300  # of a section; a page with thousands of pictures does not open
MAX_PATHS = 20  # of an entry


class Place(NamedTuple):
    """A file, and its row in the table, counted from 0; of a series, a file of it and the row of the series."""

    path: str
    row: int


class Said(NamedTuple):
    """Words of an entry; empty ones are left out."""

    title: str
    lines: Sequence[str] = ()
    detail: str = ""  # that few need
    tone: str = ""  # of the title: a class of style.css


class Entry(NamedTuple):
    """A picture, or files that have something in common."""

    said: Said
    places: list[Place]
    files: int = 1  # of which `places` has the first
    pictured: bool = True  # by the first of them


@dataclass
class Pictures:
    """Pictures one by one, those of the lowest rank first."""

    heading: str
    says: str
    belongs: Callable[[Row], bool]
    rank: Callable[[Row], tuple[float, ...]]
    describe: Callable[[Row], Said]
    total: int = 0
    _rows: list[tuple[int, Row]] = field(default_factory=list)

    def add(self, number: int, row: Row) -> None:
        if self.belongs(row):
            self.total += 1
            self._rows.append((number, row))
            if len(self._rows) == 2 * MAX_ENTRIES:
                self._rows = self._first()

    def entries(self) -> Iterator[Entry]:
        for number, row in self._first():
            yield Entry(self.describe(row), [Place(str(row["path"]), number)])

    def _first(self) -> list[tuple[int, Row]]:
        return sorted(self._rows, key=lambda each: (self.rank(each[1]), each[1]["path"]))[:MAX_ENTRIES]


@dataclass
class Groups:
    """Files by what they have in common."""

    heading: str
    says: str
    sizes: Collection[tuple[Hashable, int]]  # how many files have it, most first
    key: Callable[[Row], Hashable]
    describe: Callable[[Hashable, int], Said]
    pictured: bool
    _places: dict[Hashable, list[Place]] = field(init=False)

    def __post_init__(self) -> None:
        self._places = {key: [] for key, _ in islice(self.sizes, MAX_ENTRIES)}

    @property
    def total(self) -> int:
        return len(self.sizes)

    def add(self, number: int, row: Row) -> None:
        places = self._places.get(self.key(row))
        if places is not None and len(places) < MAX_PATHS:
            places.append(Place(str(row["path"]), number))

    def entries(self) -> Iterator[Entry]:
        for (key, size), places in zip(self.sizes, self._places.values(), strict=False):  # of the first
            yield Entry(self.describe(key, size), places, size, self.pictured)


Section = Pictures | Groups


def of_series(summary: Summary) -> tuple[Section, ...]:
    """What takes the rows of the table of series."""
    none = none_of(summary.manifest.classes)
    says = f"Those whose headers disagree come first, then those of several regions, then those that show {none}."
    return (Pictures("Series", says, lambda _: True, _series_rank, lambda row: _series(row, none)),)


def of_files(summary: Summary) -> tuple[Section, ...]:
    """What takes the rows of the table that was summed up."""
    none = none_of(summary.manifest.classes)
    return (
        Groups(
            "Could not be read",
            "By reason.",
            summary.reasons.most_common(),
            lambda row: str(row["error"]) if row["kind"] == Kind.UNREADABLE else None,
            lambda reason, size: Said(str(reason), (f"{size:,} file" + "s" * (size > 1),), tone="error"),
            pictured=False,
        ),
        Pictures(
            "The header disagrees",
            "Those where it names another region come first, then those where only the modality is another.",
            disagrees,
            lambda row: (summary.is_of_same_region(row),),
            lambda row: Said(_label(row), (_header(row), _disagreement(summary, row))),
        ),
        Pictures(
            "Accepted with little confidence",
            f"Below {100 * WEAK_CONFIDENCE:.0f} %, the lowest first.",
            is_weak,
            lambda row: (float(row["confidence"] or 0),),
            lambda row: Said(_label(row), (_header(row),)),
        ),
        # Of the refused among held-out companions and the external set, 7 of the 14 up to 0.7 were of one of the
        # classes, and 8 of the 347 beyond.
        Pictures(
            none.capitalize(),
            "The least strange come first, since they are the most likely to have been refused wrongly.",
            is_refused,
            lambda row: (float(row["ood_score"] or 0),),
            lambda row: _refusal(row, none),
        ),
        Groups(
            "Copies",
            "Pictures that several files hold.",
            summary.copies().items(),
            lambda row: content(row) if row["kind"] == Kind.PICTURE else None,
            lambda _, size: Said(f"{size:,} files"),
            pictured=True,
        ),
    )


def _series_rank(row: Row) -> tuple[bool, bool, bool]:
    label = row.get("label")
    return row.get("header_agrees") is not False, label != MIXED, label is not None


def _series(row: Row, none: str) -> Said:
    judged, label, part = row["judged"], row.get("label"), row.get("suggested")
    share = f", {100 * float(row['share'] or 0):.0f} % of them say so" if judged else ""
    lines = (
        f"{row['files']:,} files, {judged:,} slices judged{share}",
        str(row.get("ranges") or ""),
        _header(row),
        f"should say {part}" if part else "",
    )
    refused = judged and not label
    return Said(str(label or (none if refused else "not judged")), lines, tone="stranger" if refused else "")


def _refusal(row: Row, none: str) -> Said:
    nearest = max((name for name in row if name.startswith("p_")), key=lambda name: float(row[name] or 0))[2:]
    return Said(
        none, (f"nearest: {nearest} {_percent(row)}", _header(row)), f"strangeness {row['ood_score']:.3f}", "stranger"
    )


def _label(row: Row) -> str:
    return f"{row['label']} {_percent(row)}"


def _percent(row: Row) -> str:
    """The probability of its most probable class."""
    share = float(row["confidence"] or 0)
    return f"{100 * share:.1f} %" if share < 0.9995 else "> 99.9 %"  # nothing is certain


def _header(row: Row) -> str:
    said = [str(row[name]) for name in ("header_modality", "header_body_part") if row[name]]
    return f"header: {', '.join(said)}" if said else ""


def _disagreement(summary: Summary, row: Row) -> str:
    return "the region agrees, the modality does not" if summary.is_of_same_region(row) else "the region does not agree"
