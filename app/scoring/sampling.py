"""Some slices spread over each series instead of all. Every header is read first, so series are known before any pixel."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple

from app import imaging
from app.model.bundle import Bundle
from app.model.series import Slice, order, spread
from app.scoring.columns import NOT_SAMPLED, Row
from app.scoring.files import File, Unreadable
from app.scoring.instances import Key, described, identified, key, parts

MAX_KEPT = 4  # times as many slices of a series as are asked for


class Candidate(NamedTuple):
    """A slice that is judged already, may be, or neither, where it has a row that says so or its content is gone."""

    slice: Slice
    judged: bool = False
    file: File | None = None


@dataclass(slots=True)
class Thinned:
    """Every so many of the files of a series, as they came."""

    files: list[str] = field(default_factory=list)
    seen: int = 0
    step: int = 1


class Kept:
    """What was read of packed archives, to go back in which means to unpack them again: candidates of each series.

    They are every file of a series, and every second of them as often as there are more than `most`.
    """

    def __init__(self, scratch: BinaryIO, most: int) -> None:
        self._scratch, self._most = scratch, most
        self._places: dict[str, tuple[int, int]] = {}
        self._series: defaultdict[Key, Thinned] = defaultdict(Thinned)

    def offer(self, own: Key, name: str, content: bytes | None) -> None:
        """A file in the order of its archive; without content one that is done, lest others are candidates without it."""
        series = self._series[own]
        if series.seen % series.step == 0:
            if content is not None:
                self._places[name] = self._scratch.seek(0, 2), len(content)
                self._scratch.write(content)
            series.files.append(name)
        series.seen += 1
        if len(series.files) > self._most:
            for dropped in series.files[1::2]:
                self._places.pop(dropped, None)
            series.files, series.step = series.files[::2], 2 * series.step

    def has(self, name: str) -> bool:
        return name in self._places

    def content(self, name: str) -> bytes:
        start, length = self._places[name]
        self._scratch.seek(start)
        return self._scratch.read(length)


class Sample:
    """Choice of `count` slices of each series: the candidates nearest to the middles of as many equal shares.

    Candidates in packed archives are kept in `scratch`; without one they will be unpacked again.
    """

    def __init__(self, bundle: Bundle, count: int, by_folder: bool, scratch: BinaryIO | None) -> None:
        self._bundle, self._count, self._by_folder = bundle, count, by_folder
        self._kept = Kept(scratch, MAX_KEPT * count) if scratch else None
        self._classes = bundle.manifest.classes
        self._series: defaultdict[Key, list[Candidate]] = defaultdict(list)
        self._files: list[File] = []
        self._headers: dict[str, Row] = {}  # by file, of those that belong to a series
        self._done: dict[str, Key] = {}  # by file, of those that have a row, where it matters
        self._chosen: defaultdict[str, set[int]] = defaultdict(set)  # frames, by file

    def add_row(self, row: Row) -> None:
        """Count a file that is done."""
        if own := key(row, self._by_folder):
            found = parts(row, self._classes)
            self._series[own] += [Candidate(part.slice, part.answer is not None) for part in found]
            if self._kept:
                self._done[str(row["path"])] = own

    def pass_by(self, file: File) -> None:
        """Let a file that is done take its place among those of its archive."""
        if self._kept and file.is_packed and (own := self._done.get(file.name)):
            self._kept.offer(own, file.name, None)

    def add_file(self, file: File, header: Row | None = None) -> None:
        """Count a file that is not, by its header, which is read unless it is known."""
        self._files.append(file)
        if header:
            self._add(file, header)
            return
        try:
            with file.open() as opened:
                own = (header := self._header(file, opened)) and self._add(file, header)
                if own and self._kept and file.is_packed:
                    opened.seek(0)
                    self._kept.offer(own, file.name, opened.read())
        except (Unreadable, OSError):  # which reading it will meet again
            pass

    def _add(self, file: File, header: Row) -> Key | None:
        """The series it is of, if any."""
        if own := key(header, self._by_folder):
            self._headers[file.name] = header
            self._series[own] += [Candidate(part.slice, file=file) for part in parts(header, self._classes)]
        return own

    def _header(self, file: File, opened: BinaryIO) -> Row | None:
        row: Row = {"path": file.name, "kind": NOT_SAMPLED, "model": self._bundle.title}
        if found := imaging.peek(opened):
            header, instance = found
            return row | described(header) | identified(instance, {})
        return row if self._by_folder and imaging.format_of(opened) not in {"DICOM", "NONE"} else None

    def passed_over(self) -> Iterator[Row]:
        """Rows of the files that need not be judged."""
        for candidates in self._series.values():
            for candidate in self._choose(candidates):
                if candidate.file:
                    self._chosen[candidate.file.name].add(candidate.slice.frame)
        return (row for name, row in self._headers.items() if name not in self._chosen)

    def files(self) -> Iterator[File]:
        """Those to judge, in order."""
        for file in self._files:
            if frames := self._chosen.get(file.name):
                kept = self._kept.content(file.name) if self._kept and self._kept.has(file.name) else None
                yield replace(file, frames=frozenset(frames), content=kept)
            elif file.name not in self._headers:
                yield file

    def _choose(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        ordered = [candidates[place] for place in order([each.slice for each in candidates])]
        left = {at for at, each in enumerate(ordered) if each.judged or self._can_read(each.file)}
        for middle in spread(self._count, len(ordered)):
            if left:
                nearest = middle if middle in left else min(left, key=lambda at: (abs(at - middle), at))
                left.remove(nearest)
                yield ordered[nearest]

    def _can_read(self, file: File | None) -> bool:
        return file is not None and (not self._kept or not file.is_packed or self._kept.has(file.name))
