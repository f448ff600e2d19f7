"""Files to rows: read, decoded and predicted, many at a time."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from app import imaging
from app.imaging import ImageFile, Instance, Kind, PictureError, View
from app.imaging.sandbox import DecoderPool, Job
from app.model.bundle import Bundle
from app.model.classifier import Classifier, Outputs
from app.model.prediction import Prediction, predict
from app.scoring.columns import Row, failed_row
from app.scoring.files import File, Unreadable
from app.scoring.instances import NO_SCORE, Answer, described, identified

DIGITS = 4  # of the numbers that are kept of a frame
Score = Callable[[Iterable[File]], Iterator[list[Row]]]  # rows as they come, in no order


class Read(NamedTuple):
    """A file's row so far, and what the model is to see of it."""

    file: File
    row: Row
    instance: Instance | None = None
    frames: dict[int, imaging.ModelInput] = {}  # none where it could not be read


class Scorer:
    """A model of its own, on one core; with a `pool` that decodes instead, for several threads. Raises BundleError."""

    def __init__(self, bundle: Bundle, pool: DecoderPool | None = None) -> None:
        self.bundle, self._pool = bundle, pool
        self._classifier, self._lock = Classifier(bundle), Lock()

    def __call__(self, files: Sequence[File]) -> list[Row]:
        """A row for each file, in order; what cannot be read says why."""
        read = [self._read(file) for file in files]
        self._predict([one for one in read if one.frames])
        return [one.row for one in read]

    def look(self, job: Job, data: bytes) -> Any:
        """What `job` makes of a picture. Raises PictureError."""
        if self._pool is None:
            return job(imaging.open(data))
        [made] = self._pool(job, [data], lambda: False)
        if isinstance(made, Exception):
            raise made
        return made

    def _read(self, file: File) -> Read:
        sha256, data = None, b""
        try:
            data = file.read()
            sha256 = hashlib.sha256(data).hexdigest()
            (size, instance), *frames = self.look(partial(_seen, view=self._classifier.view, frames=file.frames), data)
            row: Row = {"path": file.name, "sha256": sha256, "kind": Kind.PICTURE.value, **size._asdict()}
            return Read(file, row, instance, dict(frames))
        except (Unreadable, PictureError) as error:
            row = failed_row(file, self.bundle, str(error), sha256, error.kind)
        except MemoryError:
            row = failed_row(file, self.bundle, "The picture needs more memory than there is.", sha256)
        if self._pool is None and (found := imaging.peek(BytesIO(data))):
            header, instance = found
            row |= described(header) | identified(instance, {} if file.frames else None)
        return Read(file, row)

    def _predict(self, readable: list[Read]) -> None:
        if not readable:
            return
        inputs = np.stack([pixels for one in readable for pixels, _ in one.frames.values()])
        with self._lock:
            outputs = self._classifier(inputs)
        start = 0
        for one in readable:
            self._add(one, outputs[start : start + len(one.frames)])
            start += len(one.frames)

    def _add(self, one: Read, outputs: Outputs) -> None:
        """What the model says of its frames, of the middle one in full."""
        middle = int(one.row["frames"] or 0) // 2
        prediction = predict(self.bundle.manifest, outputs, [*one.frames].index(middle), one.frames[middle][1])
        one.row.update(_flat(prediction), model=self.bundle.title)
        if one.instance:
            one.row.update(identified(one.instance, _answers(one, outputs)))


def _seen(picture: ImageFile, view: View, frames: Collection[int]) -> Iterator[tuple[Any, Any]]:
    """Size and instance, and then what the model is to see of the middle frame and of those, each with its number."""
    middle = picture.size.frames // 2
    instance = picture.instance(None if frames else [middle])
    yield picture.size, instance
    if instance is None:
        yield middle, imaging.read_input(picture, view)
        return
    slices = range(len(instance.places) if len(instance.places) > 1 else 0)
    others = [frame for frame in slices if frame in frames and frame != middle]
    inputs = imaging.read_frames(picture, view, [middle, *others])
    yield middle, next(inputs)
    with suppress(PictureError):  # the row is about the middle one
        yield from zip(others, inputs, strict=False)


def _flat(prediction: Prediction) -> Row:
    fields = prediction.model_dump(include={"label", "confidence", "accepted", "ood_score"})
    probabilities = {f"p_{name}": value for name, value in prediction.probabilities.items()}
    header = {f"header_{name}": getattr(prediction.dicom, name, None) for name in ("modality", "body_part", "agrees")}
    part = prediction.dicom and prediction.dicom.suggested
    return fields | probabilities | header | {"suggested": str(part) if part else None, "error": None}


def _answers(one: Read, outputs: Outputs) -> dict[int, Answer] | None:
    """Of its frames that were asked for, or of the one there is; None where they are no slices of a series here."""
    if not one.file.frames:
        return None
    probabilities = outputs.probabilities.round(DIGITS).tolist()
    scores = [NO_SCORE] * len(probabilities) if outputs.ood_score is None else outputs.ood_score.round(DIGITS).tolist()
    answers = zip(one.frames, scores, probabilities, strict=True)
    alone = len(one.frames) == 1
    return {frame: [score, *row] for frame, score, row in answers if alone or frame in one.file.frames}
