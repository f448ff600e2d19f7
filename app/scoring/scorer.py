"""Files to rows: read, decoded and judged, many at a time."""

import hashlib
from collections.abc import Sequence

import numpy as np

from app import imaging
from app.imaging import ModelInput, PictureError
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from app.model.verdict import verdict
from app.scoring.files import File, Unreadable
from app.scoring.table import Row, failed


class Scorer:
    """A model of its own, on one core. Raises BundleError."""

    def __init__(self, bundle: Bundle, most_bytes: int) -> None:
        self.bundle, self._most_bytes = bundle, most_bytes
        self._classifier = Classifier(bundle)

    def __call__(self, files: Sequence[File]) -> list[Row]:
        """A row for each file, in order; what cannot be read says why."""
        rows: list[Row] = []
        seen: list[ModelInput] = []
        for file in files:
            row, picture = self._look(file)
            rows.append(row)
            seen += [] if picture is None else [picture]
        self._judge(seen, [row for row in rows if "error" not in row])
        return rows

    def _look(self, file: File) -> tuple[Row, ModelInput | None]:
        sha256 = None
        try:
            data = file.read(self._most_bytes)
            sha256 = hashlib.sha256(data).hexdigest()
            return {"path": file.name, "sha256": sha256}, imaging.read_input(imaging.open(data), self._classifier.size)
        except (Unreadable, PictureError) as error:
            return failed(file, self.bundle, str(error), sha256), None
        except MemoryError:
            return failed(file, self.bundle, "The picture needs more memory than there is.", sha256), None

    def _judge(self, seen: list[ModelInput], rows: list[Row]) -> None:
        if not seen:
            return
        answers = self._classifier(np.stack([pixels for pixels, _ in seen]))
        for index, ((_, header), row) in enumerate(zip(seen, rows, strict=True)):
            row |= _flat(verdict(self.bundle.manifest, answers, index, header)) | {"model": self.bundle.title}  # noqa: PLW2901


def _flat(told: dict[str, object]) -> Row:
    probabilities: dict[str, float] = told["probabilities"]  # type: ignore[assignment]
    dicom: Row = told.get("dicom", {})  # type: ignore[assignment]
    judged: Row = {name: told[name] for name in ("label", "confidence", "accepted", "ood_score")}  # type: ignore[misc]
    header: Row = {name: dicom.get(name) for name in ("modality", "body_part", "agrees")}
    return judged | {f"p_{name}": value for name, value in probabilities.items()} | header | {"error": None}
