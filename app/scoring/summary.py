"""What a person is told about a whole table: counts that add up, and what to look at."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field

import numpy as np

from app.imaging import Kind
from app.model.agreement import region_agrees
from app.model.manifest import Manifest
from app.scoring.columns import NOT_SAMPLED, Row

# Of 528 pictures accepted among held-out companions and an external set, 2 of the 12 below this were wrong, and 8 of the
# 516 above. A bound of 0.99 would show 59, of which 4 were wrong.
WEAK_CONFIDENCE = 0.95
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NOT_JUDGED = {Kind.NOT_A_PICTURE: "not a picture", Kind.NO_PIXELS: "DICOM without pixels", NOT_SAMPLED: NOT_SAMPLED}


@dataclass(slots=True)
class Summary:
    """Counts over the rows it was given. Of the rows themselves 8 bytes are kept for each picture."""

    manifest: Manifest
    kinds: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # why files were unreadable
    headers: int = 0  # that name a modality or a body part
    compared: int = 0  # of these
    other_regions: int = 0
    other_modalities: int = 0  # of the same region
    weak: int = 0
    _contents: "array[int]" = field(default_factory=lambda: array("Q"))  # of the pictures, by `content`

    @property
    def files(self) -> int:
        return self.kinds.total()

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.kinds[str(row["kind"])] += 1
            if row["kind"] == Kind.PICTURE:
                self._add_picture(row)
            elif row["kind"] == Kind.UNREADABLE:
                self.reasons[str(row["error"])] += 1

    def _add_picture(self, row: Row) -> None:
        if is_refused(row):
            self.refused += 1
        else:
            self.labels[str(row["label"])] += 1
        self.weak += is_weak(row)
        self.headers += bool(row["header_modality"] or row["header_body_part"])
        self.compared += row["header_agrees"] is not None
        if disagrees(row):
            other_modality = self.is_of_same_region(row)
            self.other_modalities += other_modality
            self.other_regions += not other_modality
        self._contents.append(content(row))

    def is_of_same_region(self, row: Row) -> bool:
        """Whether its header names the region of its label; where they disagree all the same, it is in the modality."""
        label, body_part = row["label"], row["header_body_part"]
        said = [str(body_part)] if body_part else []
        return bool(region_agrees(self.manifest.dicom, str(label), said))

    def copies(self) -> dict[int, int]:
        """How many files hold the same picture, by `content`, where it is more than one; most first."""
        contents, counts = np.unique(np.asarray(self._contents), return_counts=True)
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts > 1)]
        return dict(zip(contents[order].tolist(), counts[order].tolist(), strict=True))

    def counts(self) -> Iterator[tuple[str, int]]:
        """What adds up to the number of files, which comes last."""
        yield from sorted(self.labels.items())
        yield none_of(self.manifest.classes), self.refused
        for kind, name in NOT_JUDGED.items():
            if self.kinds[kind]:
                yield name, self.kinds[kind]
        yield "unreadable", self.kinds[Kind.UNREADABLE]
        yield "files", self.files

    def remarks(self) -> Iterator[str]:
        """Sentences about what these counts do not tell, because it overlaps with them."""
        if self.headers:
            yield (
                f"DICOM headers: {self.compared:,} of {self.headers:,} compared; "
                f"region differs in {self.other_regions:,}, only modality in {self.other_modalities:,}."
            )
        if self.weak:
            yield f"Accepted with a confidence below {100 * WEAK_CONFIDENCE:.0f} %: {self.weak:,}."
        if sizes := self.copies().values():
            yield f"Copies of another picture: {sum(sizes) - len(sizes):,}; groups of the same content: {len(sizes):,}."


def content(row: Row) -> int:
    """The first 8 bytes of its sha256; among a million pictures, two share them with a chance of 3 in 100 million."""
    return int(str(row["sha256"])[:16], 16)


def none_of(classes: Sized) -> str:
    """What people are told of a picture that is refused, here as on the page of the service."""
    count = len(classes)
    return f"none of the {NUMBERS[count] if count < len(NUMBERS) else count}"


def is_refused(row: Row) -> bool:
    return row["accepted"] is False


def is_weak(row: Row) -> bool:
    """Whether it has a label that should be checked."""
    return row["label"] is not None and float(row["confidence"] or 0) < WEAK_CONFIDENCE


def disagrees(row: Row) -> bool:
    """Whether its header names another region or modality than its label."""
    return row["header_agrees"] is False
