"""A verified bundle, ready to answer: prepare once, call many."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from app.imaging import RESAMPLE, Pixels, decode, to_input
from app.model.bundle import MODEL, Bundle, BundleError
from app.model.manifest import Golden

DRIFT = 2e-2  # golden answers may differ by this much: some backends compute in bfloat16
CHUNK = 256  # pictures a forward pass; larger ones only cost memory

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
        chunks = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
        outputs = [self._model.predict_on_batch(chunk) for chunk in chunks]
        joined = {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}
        if "ood_score" in joined:
            joined["ood_score"] = joined["ood_score"][:, 0]
        return Answers(**joined)

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
