"""Answers as series of an Orthanc carry them: metadata, and a label where the server has labels."""

import json
import re

from app.model.manifest import Manifest
from app.model.series import MIXED
from app.scoring import ScoringError
from app.scoring.orthanc.answer import Answer
from app.scoring.orthanc.client import Orthanc

LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what Orthanc takes (ServerToolbox::IsValidLabel): no colon


class Labels:
    """What the answers are called among a server's labels. Raises ScoringError where it would take none of that name."""

    def __init__(self, prefix: str, manifest: Manifest) -> None:
        self._prefix = prefix
        self.all = {self.of(label) for label in (*manifest.classes, MIXED)}
        if not prefix or not all(map(LABEL.fullmatch, self.all)):
            raise ScoringError(
                f"Labels that begin with {prefix!r} are none for Orthanc: they may have only letters, digits, - and _, "
                "64 in all; choose another --label-prefix."
            )

    def of(self, label: str) -> str:
        return self._prefix + re.sub(r"[^A-Za-z0-9_-]", "_", label)


class Writer:
    """Writes answers to series: nothing that is there already, and no label but those of answers."""

    def __init__(self, orthanc: Orthanc, labels: Labels, number: int) -> None:
        self._orthanc, self._labels, self._number = orthanc, labels, number

    def __call__(self, series: str, answer: Answer) -> None:
        """The metadata last: while they are those of before, they tell which label may have to go."""
        before = self._orthanc.metadata(series, self._number)
        if self._orthanc.has_labels:
            self._set_label(series, answer.label, _label(before.text))
        if before.text != answer.text:
            self._orthanc.set_metadata(series, self._number, answer.text, before)

    def _set_label(self, series: str, label: str | None, before: str | None) -> None:
        there, right = self._orthanc.labels(series), {self._labels.of(label)} if label else set()
        own = self._labels.all | ({self._labels.of(before)} if before else set())
        for each in (there & own) - right:
            self._orthanc.set_label(series, each, present=False)
        for each in right - there:
            self._orthanc.set_label(series, each, present=True)


def printed(series: str, answer: Answer) -> None:
    """What a dry run does instead."""
    print(json.dumps({"series": series} | json.loads(answer.text), ensure_ascii=False), flush=True)


def _label(text: str | None) -> str | None:
    """Of an answer that was written before; None where it has none, or is somebody else's."""
    try:
        label = json.loads(text or "{}").get("label")
    except (ValueError, AttributeError, RecursionError):
        return None
    return label if isinstance(label, str) else None
