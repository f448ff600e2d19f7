"""What a series on an Orthanc shows: some of its files are fetched and judged together, like those of a folder."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import structlog

from app.imaging import Instance, PictureError
from app.imaging.dicom.header import identify_by
from app.model import series
from app.scoring.columns import NOT_SAMPLED, Row, columns
from app.scoring.containers import Fault, too_large
from app.scoring.files import File
from app.scoring.instances import identified
from app.scoring.orthanc.client import Failed, Gone, Orthanc, Unavailable
from app.scoring.sampling import Sample
from app.scoring.scorer import Scorer
from app.scoring.series import Series

MAX_FILE_BYTES = 256 * 2**20  # a decoder has memory for 350
LARGE_BYTES = 32 * 2**20  # of series with such files one is judged at a time, for memory's sake
TOO_LARGE = too_large(MAX_FILE_BYTES)
NOT_GIVEN = Fault("The server does not give the file.")
NOT_TOLD = "The server does not say what is in the series."
FAILED = "Judging the series failed."

log = structlog.get_logger()


class Answer(NamedTuple):
    """What is to be written to a series; the same whenever its files and the bundle are."""

    label: str | None
    text: str  # JSON
    instances: list[str]  # of the series, those not judged as well
    is_judged: bool


class Judge:
    """Answers for series of one server, for several threads."""

    def __init__(self, orthanc: Orthanc, scorer: Scorer, slices: int) -> None:
        self._orthanc, self._scorer, self._slices = orthanc, scorer, slices
        self._manifest = scorer.bundle.manifest
        self._alone = Lock()
        self._empty: Row = dict.fromkeys(columns(self._manifest))

    def __call__(self, name: str) -> Answer:
        """Raises Gone and Unavailable. `name` is the server's own for the series."""
        instances: list[dict[str, Any]] = []
        try:
            if not (instances := self._orthanc.instances(name)):
                raise Gone
            with self._alone if _have_large(instances) else nullcontext():
                content = self._content(name, instances)
        except Failed:
            self._orthanc.last_change()  # raises where the server fails on everything
            content = {"error": NOT_TOLD}
        except (Gone, Unavailable):
            raise
        except OSError as error:
            raise Unavailable(f"No process can be started here to decode in: {error.strerror}.") from error
        except Exception as error:  # a mistake here should hold up no other series; its message may quote a header
            log.warning("judging failed", error=type(error).__name__)
            content = {"error": FAILED}
        content |= {"model": {"name": self._manifest.name, "version": self._manifest.version}}
        text = json.dumps(content, ensure_ascii=False)
        return Answer(content.get("label"), text, [each["ID"] for each in instances], "error" not in content)

    def _content(self, name: str, instances: list[dict[str, Any]]) -> dict[str, Any]:
        found, errors = Series(), Counter[str]()
        for row in self._rows(name, instances):
            found.add(row, self._manifest.classes)
            errors.update([str(row["error"])] if row["error"] else [])
        content = self._finding(found) or {"error": series.commonest(errors)}
        return content | {"judged": found.judged, "slices": len(found.slices)}

    def _rows(self, name: str, instances: list[dict[str, Any]]) -> Iterator[Row]:
        """Of all its files, in no order; one at a time is fetched and judged, so that no series takes more memory."""
        sample = Sample(self._scorer.bundle, self._slices, by_folder=False, scratch=None)
        known: dict[str, Row] = {}
        for each in instances:
            file = File(Path(each["ID"]), fault=TOO_LARGE if int(each["FileSize"]) > MAX_FILE_BYTES else None)
            known[file.name] = self._row(name, file, each["MainDicomTags"])
            sample.add_file(file, known[file.name])
        yield from sample.passed_over()
        for file in sample.files():
            [row] = self._scorer([self._fetched(file)])
            yield known[file.name] | {column: value for column, value in row.items() if value is not None}

    def _row(self, name: str, file: File, tags: dict[str, str]) -> Row:
        """By what the server keeps of its header; the places of several frames are only in the file."""
        instance = identify_by({**tags, "SeriesInstanceUID": name})
        row = self._empty | {"path": file.name, "kind": NOT_SAMPLED}
        if tags.get("NumberOfFrames", "1").strip() not in {"", "0", "1"}:
            instance = instance._replace(places=self._places(file) or instance.places)
        return row | identified(instance, {})

    def _places(self, file: File) -> tuple[Any, ...]:
        try:
            content = self._fetched(file).content
            found: Instance | None = self._scorer.look(methodcaller("instance"), content) if content else None
        except PictureError:  # which judging will meet again
            return ()
        return found.places if found else ()

    def _fetched(self, file: File) -> File:
        if file.fault:
            return file
        try:
            return replace(file, content=self._orthanc.file(file.name))
        except (Gone, Failed):
            self._orthanc.last_change()  # raises where the server fails on everything
            return replace(file, fault=NOT_GIVEN)

    def _finding(self, found: Series) -> dict[str, Any] | None:
        if not (finding := found.finding(self._manifest, series.order(found.slices))):
            return None
        verdict, agrees, part = finding
        return {
            "label": verdict.label,
            "share": round(verdict.share, 4),
            "ranges": [each._asdict() for each in verdict.ranges],
            "body_part": series.commonest(found.body_parts),
            "agrees": agrees,
            "suggested": part and part.model_dump(),
        }


def _have_large(instances: list[dict[str, Any]]) -> bool:
    return any(int(each["FileSize"]) > LARGE_BYTES for each in instances)
