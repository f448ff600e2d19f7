"""The shapes of the answers, as the OpenAPI page shows them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.model.manifest import Input, Metric, Ood
from app.model.reference import Reference


class _Shape(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class ModelRef(_Shape):
    """Which bundle answered."""

    name: str = Field(examples=["mednist"])
    version: str = Field(examples=["3f2a9c1d04be"])


class Window(_Shape):
    """The values shown from black to white, as DICOM states it."""

    center: float
    width: float


class Dicom(_Shape):
    """What the header of a DICOM says. `agrees` is null where it names no body part that is understood."""

    modality: str | None = Field(examples=["CR"])
    body_part: str | None = Field(examples=["HAND"])
    rows: int
    columns: int
    frames: int
    window: Window | None
    agrees: bool | None


class Judged(_Shape):
    """What the model says. `accepted` and `ood_score` are null where the bundle cannot tell strangers."""

    label: str | None = Field(examples=["Hand"])
    confidence: float = Field(examples=[0.9993])
    accepted: bool | None
    ood_score: float | None
    probabilities: dict[str, float] = Field(examples=[{"Hand": 0.9993, "HeadCT": 0.0007}])


class Prediction(Judged):
    """One picture's answer; `dicom` for a DICOM only, `frames` where all of them were asked for."""

    model: ModelRef
    dicom: Dicom | None = None
    frames: list[Judged] | None = None


class Explanation(Prediction):
    """A prediction, and for each class the evidence whose mean over the grid is its logit before temperature."""

    explained: str = Field(examples=["Hand"])
    evidence: dict[str, list[list[float]]] = Field(examples=[{"Hand": [[1.5, 9.2], [2.1, 8.8]]}])


class Problem(_Shape):
    """A refusal, RFC 9457."""

    type: str = "about:blank"
    title: str = Field(examples=["Unsupported Media Type"])
    status: int = Field(examples=[415])
    detail: str
    instance: str = Field(examples=["/predict"])
    request_id: str


class BatchEntry(_Shape):
    """One file of a batch: a prediction's fields, or the error that met it."""

    index: int
    error: Problem | None = None
    label: str | None = None
    confidence: float | None = None
    accepted: bool | None = None
    ood_score: float | None = None
    probabilities: dict[str, float] | None = None
    model: ModelRef | None = None
    dicom: Dicom | None = None


class Batch(_Shape):
    results: list[BatchEntry]


class Health(_Shape):
    status: Literal["ok", "draining", "unhealthy"]
    model: ModelRef
    uptime_seconds: float


class ModelInfo(_Shape):
    """What bundle.json says, the test split to hold the series of /metrics against, and the card."""

    name: str
    version: str
    classes: list[str]
    input: Input
    metrics: dict[str, Metric]
    ood: Ood | None
    data: dict[str, JsonValue]
    training: dict[str, JsonValue]
    reference: Reference | None = Field(description="null where the bundle was never scored")
    card: str
