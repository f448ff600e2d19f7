"""A verified bundle, ready to answer: prepare once, call many."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, SignatureRunner

from app.imaging import RESAMPLE, Pixels, decode, to_input
from app.model.bundle import Bundle, BundleError
from app.model.manifest import Golden

MAX_DRIFT = 2e-2  # golden answers may differ by this much from those of the machine that trained
SLICE = 32  # pictures a forward pass: more together are no faster, and hold memory for each

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model gives for n pictures."""

    probabilities: Floats  # (n, classes), each row sums to 1, temperature applied
    ood_score: Floats | None = None  # (n,) 0…1, higher is stranger
    evidence: Floats | None = None  # (n, h, w, classes), whose mean over h and w is the logits before temperature

    def each(self, change: Callable[[Floats], Floats]) -> "Outputs":
        """What `change` makes of every part there is."""
        parts = (self.probabilities, self.ood_score, self.evidence)
        return Outputs(*(None if part is None else change(part) for part in parts))  # type: ignore[arg-type]

    def __getitem__(self, rows: slice | npt.NDArray[np.intp]) -> "Outputs":
        return self.each(lambda part: part[rows])


def joined(several: Sequence[Outputs]) -> Outputs:
    """Rows of the same model, one under another."""
    parts = zip(*((one.probabilities, one.ood_score, one.evidence) for one in several), strict=True)
    return Outputs(*(None if part[0] is None else np.concatenate(part) for part in parts))  # type: ignore[arg-type]


class Classifier:
    """Opens a bundle's compiled model, checks that it fits this code and replays its golden answers.

    It belongs to one thread at a time: LiteRT computes in place. Raises BundleError.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.classes = bundle.manifest.classes
        self.view = bundle.manifest.input.view
        self.size = self.view.size
        self._model = _open(bundle)
        self._check_shapes()
        self._replay()

    def __call__(self, inputs: Pixels) -> Outputs:
        """Judge `inputs`, uint8 (n, size, size, 1)."""
        if len(inputs) > SLICE:
            return joined([self(inputs[start : start + SLICE]) for start in range(0, len(inputs), SLICE)])
        tensors: dict[str, Floats] = self._model(**{self._input: inputs})
        if "ood_score" in tensors:
            tensors["ood_score"] = tensors["ood_score"][:, 0]
        return Outputs(**tensors)

    def twin(self) -> "Classifier":
        """A classifier of the same bundle for another thread."""
        twin = copy(self)
        twin._model = _open(self.bundle)
        return twin

    def golden_pictures(self) -> Pixels:
        """Through the same decoder as any upload, (n, size, size, 1)."""
        files = [self.bundle.path(golden.file).read_bytes() for golden in self.bundle.manifest.golden]
        return np.stack([to_input(decode(data), self.size) for data in files])

    def _check_shapes(self) -> None:
        manifest, name = self.bundle.manifest, self.bundle.title
        if (resample := manifest.input.resample) != RESAMPLE:
            raise BundleError(f"The bundle {name} wants pictures resized by {resample!r}, not {RESAMPLE!r}.")
        takes, gives = _shapes(self._model.get_input_details()), _shapes(self._model.get_output_details())
        if [*takes.values()] != [(-1, self.size, self.size, 1)]:
            shapes = ", ".join(map(str, takes.values()))
            raise BundleError(f"The model of {name} takes {shapes}, its manifest says {self.size} pixels.")
        [self._input] = takes
        if gives.get("probabilities") != (-1, len(self.classes)):
            raise BundleError(f"The model of {name} does not answer with {len(self.classes)} probabilities.")
        if (manifest.ood is None) == ("ood_score" in gives):
            raise BundleError(f"The model of {name} and its manifest disagree about an ood_score.")
        if unknown := gives.keys() - {field.name for field in fields(Outputs)}:
            raise BundleError(f"The model of {name} has outputs that are not known: {', '.join(sorted(unknown))}.")

    def _replay(self) -> None:
        goldens = self.bundle.manifest.golden
        if not goldens:
            raise BundleError(f"The bundle {self.bundle.title} has no golden pictures to check it with.")
        found = self(self.golden_pictures())
        drift = float(np.abs(_columns(found) - _expected(goldens, self.classes)).max())
        if not drift <= MAX_DRIFT:
            raise BundleError(f"The bundle {self.bundle.title} drifts by {drift:.3f} on its golden pictures.")


def _open(bundle: Bundle) -> SignatureRunner:
    try:
        with quiet():
            interpreter = Interpreter(model_content=bundle.compiled, num_threads=1)
            interpreter.allocate_tensors()
        return interpreter.get_signature_runner()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"The compiled model of {bundle.title} cannot be opened.") from error


def _shapes(details: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(found["shape_signature"].tolist()) for name, found in details.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from standard error, where some write whatever they are told."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _expected(goldens: list[Golden], classes: list[str]) -> Floats:
    if any(len(golden.probabilities) != len(classes) for golden in goldens):
        raise BundleError(f"The golden answers do not have {len(classes)} classes each.")
    return np.array([[*golden.probabilities, golden.ood_score or 0] for golden in goldens], np.float32)


def _columns(outputs: Outputs) -> Floats:
    """Probabilities and, as a last column, the ood_score, or 0 where there is none."""
    score = np.zeros(len(outputs.probabilities), np.float32) if outputs.ood_score is None else outputs.ood_score
    return np.column_stack([outputs.probabilities, score])
