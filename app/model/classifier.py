"""A verified bundle, ready to answer: prepare once, call many."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import RESAMPLE, Pixels, decode, to_input
from app.model import archive
from app.model.bundle import MODEL, Bundle, BundleError
from app.model.manifest import Golden

DRIFT = 2e-2  # golden answers may differ by this much: some backends compute in bfloat16
BATCH_SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)  # a backend compiles once for each, at start; others are padded

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the model says about n pictures."""

    probabilities: Floats  # (n, classes), each row sums to 1, temperature applied
    ood_score: Floats | None = None  # (n,) 0…1, higher is stranger
    evidence: Floats | None = None  # (n, h, w, classes), whose mean over h and w is the logits before temperature

    def __getitem__(self, rows: slice) -> "Answers":
        parts = (self.probabilities, self.ood_score, self.evidence)
        return Answers(*(None if part is None else part[rows] for part in parts))  # type: ignore[arg-type]


def mean(several: Sequence[Answers]) -> Answers:
    """The answers of one row each, averaged into one row."""
    parts = zip(*((answers.probabilities, answers.ood_score, answers.evidence) for answers in several), strict=True)
    return Answers(*(None if part[0] is None else np.mean(part, axis=0) for part in parts))  # type: ignore[arg-type]


def ready(bundle: Bundle, cores: int, sizes: Sequence[int] = BATCH_SIZES) -> "Classifier":
    """A classifier that has run batches of `sizes` once, so that no request waits for the backend to prepare for them.

    It computes on as many threads as `cores`, lest several processes fight. Raises BundleError.
    """
    with _confined(cores):
        classifier = Classifier(bundle)
        for size in sizes:
            classifier(np.zeros((size, classifier.size, classifier.size, 1), np.uint8))
    return classifier


@contextmanager
def _confined(cores: int) -> Iterator[None]:
    """OpenVINO starts a thread for every core it may run on while it compiles; TensorFlow is told by the environment."""
    if keras.backend.backend() != "openvino" or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(allowed)
    os.sched_setaffinity(0, (allowed * 2)[first : first + cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Classifier:
    """Opens a bundle, checks that it fits this code and replays its golden answers. Raises BundleError."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.classes = bundle.manifest.classes
        self.size = bundle.manifest.input.size
        self._model = _load(bundle)
        self._check_shapes()
        self._replay()

    def __call__(self, inputs: Pixels) -> Answers:
        """Judge `inputs`, uint8 (n, size, size, 1)."""
        most = BATCH_SIZES[-1]
        outputs = [self._forward(inputs[start : start + most]) for start in range(0, len(inputs), most)]
        joined = {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}
        if "ood_score" in joined:
            joined["ood_score"] = joined["ood_score"][:, 0]
        return Answers(**joined)

    def _forward(self, inputs: Pixels) -> dict[str, Floats]:
        count = len(inputs)
        size = next(size for size in BATCH_SIZES if size >= count)
        if size > count:
            inputs = np.concatenate([inputs, np.zeros((size - count, *inputs.shape[1:]), np.uint8)])
        return {name: values[:count] for name, values in self._model.predict_on_batch(inputs).items()}

    def _check_shapes(self) -> None:
        manifest, name = self.bundle.manifest, self.bundle.title
        if manifest.input.resample != RESAMPLE:
            raise BundleError(
                f"The bundle {name} wants pictures resized by {manifest.input.resample!r}, not {RESAMPLE!r}."
            )
        if self._model.input_shape != (None, self.size, self.size, 1):
            raise BundleError(
                f"The model of {name} takes {self._model.input_shape}, its manifest says {self.size} pixels."
            )
        outputs = self._model.predict_on_batch(np.zeros((1, self.size, self.size, 1), np.uint8))
        found = outputs["probabilities"].shape if isinstance(outputs, dict) and "probabilities" in outputs else None
        if found != (1, len(self.classes)):
            raise BundleError(f"The model of {name} does not answer with {len(self.classes)} probabilities.")
        if (manifest.ood is None) == ("ood_score" in outputs):
            raise BundleError(f"The model of {name} and its manifest disagree about an ood_score.")

    def _replay(self) -> None:
        """Warm up on the golden pictures, through the same decoder as any upload."""
        goldens = self.bundle.manifest.golden
        if not goldens:
            raise BundleError(f"The bundle {self.bundle.title} has no golden pictures to check it with.")
        answers = self(self._pixels(goldens))
        drift = float(np.abs(_columns(answers) - _expected(goldens, self.classes)).max())
        if not drift <= DRIFT:
            raise BundleError(f"The bundle {self.bundle.title} drifts by {drift:.3f} on its golden pictures.")

    def _pixels(self, goldens: list[Golden]) -> Pixels:
        files = [self.bundle.path(golden.file).read_bytes() for golden in goldens]
        return np.stack([to_input(decode(data), self.size) for data in files])


def _load(bundle: Bundle) -> Any:
    archive.inspect(bundle)
    try:
        return keras.models.load_model(bundle.path(MODEL), compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the archive's content trips over
        raise BundleError(f"Keras cannot open the model of {bundle.title}.") from error


def _expected(goldens: list[Golden], classes: list[str]) -> Floats:
    if any(len(golden.probabilities) != len(classes) for golden in goldens):
        raise BundleError(f"The golden answers do not have {len(classes)} classes each.")
    return np.array([[*golden.probabilities, golden.ood_score or 0] for golden in goldens], np.float32)


def _columns(answers: Answers) -> Floats:
    """Probabilities and, as a last column, the ood_score, or 0 where there is none."""
    score = np.zeros(len(answers.probabilities), np.float32) if answers.ood_score is None else answers.ood_score
    return np.column_stack([answers.probabilities, score])
