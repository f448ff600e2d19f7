"""What of a table a person should look at: pictures one by one and files in groups, the first of each."""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from app.imaging import Kind
from app.model.series import MIXED
from app.scoring.columns import Row
from app.scoring.summary import WEAK_CONFIDENCE, Summary, content, disagrees, is_refused, is_weak

MAX_ENTRIES = 300  # of a section; a page with thousands of pictures does not open
MAX_PATHS = 20  # of an entry


class Entry(NamedTuple):
    """A picture, or files that have something in common."""

    title: str
    paths: list[str]
    lines: tuple[str, ...] = ()
    files: int = 1  # of which `paths` are the first
    pictured: bool = True  # by the first of them


@dataclass
class Pictures:
    """Pictures one by one, those of the lowest rank first."""

    heading: str
    says: str
    belongs: Callable[[Row], bool]
    rank: Callable[[Row], float]
    describe: Callable[[Row], tuple[str, ...]]  # in lines
    total: int = 0
    _rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        if self.belongs(row):
            self.total += 1
            self._rows.append(row)
            if len(self._rows) == 2 * MAX_ENTRIES:
                self._rows = self._first()

    def entries(self) -> Iterator[Entry]:
        for row in self._first():
            title, *lines = filter(None, self.describe(row))
            yield Entry(title, [str(row["path"])], tuple(lines))

    def _first(self) -> list[Row]:
        return sorted(self._rows, key=lambda row: (self.rank(row), row["path"]))[:MAX_ENTRIES]


@dataclass
class Groups:
    """Files by what they have in common."""

    heading: str
    says: str
    sizes: Collection[tuple[Hashable, int]]  # how many files have it, most first
    key: Callable[[Row], Hashable]
    title: Callable[[Hashable, int], str]
    pictured: bool
    _paths: dict[Hashable, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._paths = {key: [] for key, _ in islice(self.sizes, MAX_ENTRIES)}

    @property
    def total(self) -> int:
        return len(self.sizes)

    def add(self, row: Row) -> None:
        paths = self._paths.get(self.key(row))
        if paths is not None and len(paths) < MAX_PATHS:
            paths.append(str(row["path"]))

    def entries(self) -> Iterator[Entry]:
        for (key, size), paths in zip(self.sizes, self._paths.values(), strict=False):  # of the first
            yield Entry(self.title(key, size), paths, (), size, self.pictured)


@dataclass
class Series:
    """Series one by one, those that should be looked at first."""

    rows: Sequence[Row]
    heading = "Series"
    says = "Those whose headers disagree come first, then those of several regions, then those of none of the classes."

    @property
    def total(self) -> int:
        return len(self.rows)

    def add(self, _: Row) -> None:
        """Rows of files are no concern of it."""

    def entries(self) -> Iterator[Entry]:
        for row in sorted(self.rows, key=self._rank)[:MAX_ENTRIES]:
            share = f", {row['share']:.0%} of them say so" if row["judged"] else ""
            slices = f"{row['files']:,} files, {row['judged']:,} slices judged{share}"
            said = (
                slices,
                str(row.get("ranges") or ""),
                _header(row),
                f"should say {row['suggested']}" if row.get("suggested") else "",
            )
            title = str(row.get("label") or ("none of the classes" if row["judged"] else "not judged"))
            yield Entry(title, [str(row["path"])], tuple(filter(None, said)))

    @staticmethod
    def _rank(row: Row) -> tuple[bool, bool, bool]:
        label = row.get("label")
        return row.get("header_agrees") is not False, label != MIXED, label is not None


Section = Pictures | Groups | Series


def sections(summary: Summary, series: Sequence[Row]) -> tuple[Section, ...]:
    """All there are. But for that of the series, they take the rows of the table that was summed up."""
    ood = summary.manifest.ood
    return (
        Series(series),
        Groups(
            "Could not be read",
            "By reason.",
            summary.reasons.most_common(),
            lambda row: str(row["error"]) if row["kind"] == Kind.UNREADABLE else None,
            lambda reason, size: f"{size:,}: {reason}",
            pictured=False,
        ),
        Pictures(
            "The header disagrees",
            "Those where it names another region come first, then those where only the modality is another.",
            disagrees,
            summary.is_of_same_region,
            lambda row: (_label(row), _header(row), _disagreement(summary, row)),
        ),
        Pictures(
            "Accepted with little confidence",
            f"Below {WEAK_CONFIDENCE:.0%}, the lowest first.",
            is_weak,
            lambda row: float(row["confidence"] or 0),
            lambda row: (_label(row), _header(row)),
        ),
        # Of the refused among held-out companions and the external set, 7 of the 14 up to 0.7 were of one of the
        # classes, and 8 of the 347 beyond.
        Pictures(
            "None of the classes",
            f"Strangeness is above {ood.threshold if ood else 1:g}. The least strange come first, since they are the "
            "most likely to have been refused wrongly.",
            is_refused,
            lambda row: float(row["ood_score"] or 0),
            lambda row: (f"nearest {_nearest(row)}", f"strangeness {row['ood_score']:.3f}", _header(row)),
        ),
        Groups(
            "Copies",
            "Pictures that several files hold.",
            summary.copies().items(),
            lambda row: content(row) if row["kind"] == Kind.PICTURE else None,
            lambda _, size: f"{size:,} files",
            pictured=True,
        ),
    )


def _label(row: Row) -> str:
    return f"{row['label']}, confidence {_percent(row)}"


def _nearest(row: Row) -> str:
    return max((name for name in row if name.startswith("p_")), key=lambda name: float(row[name] or 0))[2:]


def _percent(row: Row) -> str:
    share = float(row["confidence"] or 0)
    return f"{share:.1%}" if share < 0.9995 else "> 99.9%"  # nothing is certain


def _header(row: Row) -> str:
    said = [str(row[name]) for name in ("header_modality", "header_body_part") if row[name]]
    return f"header: {', '.join(said)}" if said else ""


def _disagreement(summary: Summary, row: Row) -> str:
    return "the region agrees, the modality does not" if summary.is_of_same_region(row) else "the region does not agree"
