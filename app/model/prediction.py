"""What the model says about a picture, as service, tables and page tell it."""

from dataclasses import asdict

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.imaging import Header
from app.model.agreement import agrees
from app.model.classifier import Outputs
from app.model.manifest import Manifest

MODEL: JsonDict = {"name": "mednist", "version": "3f2a9c1d04be"}
EXAMPLE: JsonDict = {
    "label": "Hand",
    "confidence": 0.9993,
    "accepted": True,
    "ood_score": 0.03,
    "probabilities": {"Hand": 0.9993, "HeadCT": 0.0007},
    "model": MODEL,
}


class _Shape(BaseModel):
    model_config = ConfigDict(protected_namespaces=())  # `model` is a field's name


class ModelRef(_Shape):
    """Which bundle answered."""

    name: str
    version: str


class Window(_Shape):
    """The values shown from black to white, as DICOM states it."""

    center: float
    width: float


class Dicom(_Shape):
    """What the header of a DICOM says. `agrees` is null where it names no body part that is understood."""

    modality: str | None
    body_part: str | None
    rows: int
    columns: int
    frames: int
    window: Window | None
    agrees: bool | None


class Frame(_Shape):
    """What the model says. `accepted` and `ood_score` are null where the bundle cannot tell strangers."""

    label: str | None
    confidence: float
    accepted: bool | None
    ood_score: float | None
    probabilities: dict[str, float]


class Prediction(Frame):
    """One picture's answer; `dicom` for a DICOM only, `frames` where all of them were asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    model: ModelRef
    dicom: Dicom | None = None
    frames: list[Frame] | None = None


def predict(manifest: Manifest, outputs: Outputs, row: int = 0, header: Header | None = None) -> Prediction:
    """What one row of `outputs` says: a stranger gets no label, a DICOM also what its header says."""
    probabilities = dict(zip(manifest.classes, outputs.probabilities[row].tolist(), strict=True))
    best = max(probabilities, key=probabilities.__getitem__)
    score = None if outputs.ood_score is None else float(outputs.ood_score[row])
    accepted = None if score is None or manifest.ood is None else score <= manifest.ood.threshold
    found = Prediction(
        label=None if accepted is False else best,
        confidence=probabilities[best],
        accepted=accepted,
        ood_score=score,
        probabilities=probabilities,
        model=ModelRef(name=manifest.name, version=manifest.version),
    )
    if header is not None:
        found.dicom = _dicom(manifest, found.label, header)
    return found


def predict_frames(manifest: Manifest, outputs: Outputs, header: Header | None) -> Prediction:
    """The prediction from the mean over frames, a row of `outputs` each, and what each says alone."""
    found = predict(manifest, outputs.each(lambda part: part.mean(axis=0, keepdims=True)), header=header)
    alone = (predict(manifest, outputs, row) for row in range(len(outputs.probabilities)))
    found.frames = [Frame.model_validate(frame, from_attributes=True) for frame in alone]
    return found


def _dicom(manifest: Manifest, label: str | None, header: Header) -> Dicom:
    window = None if header.window is None else Window(center=header.window[0], width=header.window[1])
    return Dicom(**asdict(header) | {"window": window, "agrees": agrees(manifest.dicom, label, header)})
