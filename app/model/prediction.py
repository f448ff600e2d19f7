"""What the model says about a picture, as service, tables and page tell it."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.imaging import Header
from app.model.agreement import agrees
from app.model.body_parts import BodyPart, suggested
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
EXAMPLE_DICOM: JsonDict = {
    "modality": "DX",
    "body_part": "HAND",
    "rows": 2022,
    "columns": 1736,
    "frames": 1,
    "window": {"center": 2047.5, "width": 4096},
    "agrees": True,
    "suggested": {"term": "HAND", "code": "85562004", "scheme": "SCT", "meaning": "Hand"},
}


class _Shape(BaseModel):
    model_config = ConfigDict(protected_namespaces=())  # `model` is a field's name


class ModelRef(_Shape):
    """Which bundle answered."""

    name: str = Field(description="The bundle's name.")
    version: str = Field(description="12 hex digits of a checksum of all that is in the bundle.")


class Window(_Shape):
    """The values shown from black to white, as DICOM states it."""

    center: float = Field(description="The value in the middle.")
    width: float = Field(description="From black to white, above 0.")


class Dicom(_Shape):
    """What the header of a DICOM says, and should say."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_DICOM]})

    modality: str | None = Field(description="Such as CT; null where the header names none.")
    body_part: str | None = Field(description="As the header words it; null where it names none.")
    rows: int = Field(description="The picture's height in pixels.")
    columns: int = Field(description="Its width in pixels.")
    frames: int = Field(description="How many pictures the file holds, 1 or more.")
    window: Window | None = Field(description="null where the header has none.")
    agrees: bool | None = Field(
        description="Whether header and label agree, in region and modality; null where either names none, or none that is understood."
    )
    suggested: BodyPart | None = Field(
        description="What the header should name for this label; null where there is no label, or none that DICOM has a term for."
    )


class Frame(_Shape):
    """What the model says."""

    label: str | None = Field(description="The most probable class; null where the picture is not accepted.")
    confidence: float = Field(
        description="The highest of the probabilities, from 0 to 1, even where the picture is not accepted."
    )
    accepted: bool | None = Field(
        description="Whether the picture is like those the model knows; null where the bundle cannot tell."
    )
    ood_score: float | None = Field(
        description="How strange the picture is to the model, from 0 to 1; null where the bundle cannot tell."
    )
    probabilities: dict[str, float] = Field(description="Of every class, each from 0 to 1; together they are 1.")


class Prediction(Frame):
    """One picture's answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    model: ModelRef = Field(description="The bundle in use when the request came.")
    dicom: Dicom | None = Field(None, description="What the header says; of a DICOM only.")
    frames: list[Frame] | None = Field(None, description="What the model says of each frame; where all were asked for.")


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
    return Dicom(
        modality=header.modality,
        body_part=header.body_part,
        rows=header.rows,
        columns=header.columns,
        frames=header.frames,
        window=window,
        agrees=agrees(manifest.dicom, label, header),
        suggested=None if label is None else suggested(manifest.dicom, [label]),
    )
