"""Files to rows: read, decoded and predicted, many at a time."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from app import imaging
from app.imaging import Kind
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from app.model.prediction import Prediction, predict
from app.scoring.columns import Row, failed_row
from app.scoring.files import File, Unreadable

Score = Callable[[Iterable[File]], Iterator[list[Row]]]  # rows as they come, in no order


class Scorer:
    """A model of its own, on one core. Raises BundleError."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._classifier = Classifier(bundle)

    def __call__(self, files: Sequence[File]) -> list[Row]:
        """A row for each file, in order; what cannot be read says why."""
        read = [self._read(file) for file in files]
        self._predict([(row, picture) for row, picture in read if picture])
        return [row for row, _ in read]

    def _read(self, file: File) -> tuple[Row, imaging.ModelInput | None]:
        sha256 = None
        try:
            data = file.read()
            sha256 = hashlib.sha256(data).hexdigest()
            picture = imaging.open(data)
            row: Row = {"path": file.name, "sha256": sha256, "kind": Kind.PICTURE.value, **picture.size._asdict()}
            return row, imaging.read_input(picture, self._classifier.view)
        except (Unreadable, imaging.PictureError) as error:
            return failed_row(file, self.bundle, str(error), sha256, error.kind), None
        except MemoryError:
            return failed_row(file, self.bundle, "The picture needs more memory than there is.", sha256), None

    def _predict(self, readable: list[tuple[Row, imaging.ModelInput]]) -> None:
        if not readable:
            return
        outputs = self._classifier(np.stack([pixels for _, (pixels, _) in readable]))
        for index, (row, (_, header)) in enumerate(readable):
            row |= _flat(predict(self.bundle.manifest, outputs, index, header)) | {"model": self.bundle.title}  # noqa: PLW2901


def _flat(prediction: Prediction) -> Row:
    fields = prediction.model_dump(include={"label", "confidence", "accepted", "ood_score"})
    probabilities = {f"p_{name}": value for name, value in prediction.probabilities.items()}
    header = {f"header_{name}": getattr(prediction.dicom, name, None) for name in ("modality", "body_part", "agrees")}
    return fields | probabilities | header | {"error": None}
