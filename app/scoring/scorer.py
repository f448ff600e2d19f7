"""Files to rows: read, decoded and predicted, many at a time."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from app import imaging
from app.imaging import ModelInput, PictureError
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from app.model.prediction import Prediction, predict
from app.scoring.files import File, Unreadable
from app.scoring.table import Row, failed_row

Score = Callable[[Iterable[File]], Iterator[list[Row]]]  # rows as they come, in no order


class Scorer:
    """A model of its own, on one core. Raises BundleError."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._classifier = Classifier(bundle)

    def __call__(self, files: Sequence[File]) -> list[Row]:
        """A row for each file, in order; what cannot be read says why."""
        rows: list[Row] = []
        seen: list[ModelInput] = []
        for file in files:
            row, picture = self._read(file)
            rows.append(row)
            seen += [] if picture is None else [picture]
        self._predict(seen, [row for row in rows if "error" not in row])
        return rows

    def _read(self, file: File) -> tuple[Row, ModelInput | None]:
        sha256 = None
        try:
            data = file.read()
            sha256 = hashlib.sha256(data).hexdigest()
            return {"path": file.name, "sha256": sha256}, imaging.read_input(imaging.open(data), self._classifier.size)
        except (Unreadable, PictureError) as error:
            return failed_row(file, self.bundle, str(error), sha256), None
        except MemoryError:
            return failed_row(file, self.bundle, "The picture needs more memory than there is.", sha256), None

    def _predict(self, seen: list[ModelInput], rows: list[Row]) -> None:
        if not seen:
            return
        outputs = self._classifier(np.stack([pixels for pixels, _ in seen]))
        for index, ((_, header), row) in enumerate(zip(seen, rows, strict=True)):
            row |= _flat(predict(self.bundle.manifest, outputs, index, header)) | {"model": self.bundle.title}  # noqa: PLW2901


def _flat(prediction: Prediction) -> Row:
    judged = prediction.model_dump(include={"label", "confidence", "accepted", "ood_score"})
    probabilities = {f"p_{name}": value for name, value in prediction.probabilities.items()}
    header = {name: getattr(prediction.dicom, name, None) for name in ("modality", "body_part", "agrees")}
    return judged | probabilities | header | {"error": None}
