"""The shapes of pictures that come in and of answers, as the OpenAPI page shows them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.model.manifest import Input, Metric, Ood
from app.model.reference import Reference

FILE = {"type": "string", "format": "binary"}
BINARY = {"schema": FILE}
ONE_FILE = {"type": "object", "required": ["file"], "properties": {"file": FILE}}
ONE_PICTURE = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": ONE_FILE},
        "image/*": BINARY,
        "application/dicom": BINARY,
        "application/octet-stream": BINARY,
    },
}
PNG = {"image/png": BINARY}
MODEL = {"name": "mednist", "version": "3f2a9c1d04be"}
JUDGED = {
    "label": "Hand",
    "confidence": 0.9993,
    "accepted": True,
    "ood_score": 0.03,
    "probabilities": {"Hand": 0.9993, "HeadCT": 0.0007},
}
PREDICTION = JUDGED | {"model": MODEL}
EMPTY = {
    "type": "about:blank",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "The file is empty.",
    "instance": "/predict/batch",
    "request_id": "2f1c7d9e0a4b4c3f8e5d6a7b8c9d0e1f",
}


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class _Shape(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


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


class Judged(_Shape):
    """What the model says. `accepted` and `ood_score` are null where the bundle cannot tell strangers."""

    label: str | None
    confidence: float
    accepted: bool | None
    ood_score: float | None
    probabilities: dict[str, float]


class Prediction(Judged):
    """One picture's answer; `dicom` for a DICOM only, `frames` where all of them were asked for."""

    model_config = _example(PREDICTION)

    model: ModelRef
    dicom: Dicom | None = None
    frames: list[Judged] | None = None


class Explanation(Prediction):
    """A prediction, and for each class the evidence whose mean over the grid is its logit before temperature."""

    model_config = _example(
        PREDICTION | {"explained": "Hand", "evidence": {"Hand": [[1.5, 9.2]], "HeadCT": [[0.2, 1.9]]}}
    )

    explained: str
    evidence: dict[str, list[list[float]]]


class Problem(_Shape):
    """A refusal, RFC 9457."""

    model_config = _example(EMPTY)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
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
    model_config = _example({"results": [{"index": 0} | PREDICTION, {"index": 1, "error": EMPTY}]})

    results: list[BatchEntry]


class Health(_Shape):
    model_config = _example({"status": "ok", "model": MODEL, "uptime_seconds": 12.345})

    status: Literal["ok", "draining", "unhealthy"]
    model: ModelRef
    uptime_seconds: float


class ModelInfo(_Shape):
    """What bundle.json says, the test split to hold the series of /metrics against, and the card."""

    model_config = _example(
        MODEL
        | {
            "classes": ["Hand", "HeadCT"],
            "input": {"size": 64, "channels": 1, "resample": "squash-box"},
            "metrics": {"accuracy": {"value": 0.998, "low": 0.997, "high": 0.999, "n": 5896}},
            "ood": {"method": "free energy", "threshold": 0.5, "parameters": {}},
            "data": {"source": "Medical MNIST"},
            "training": {"preset": "robust"},
            "reference": {"pictures": 5300, "class_share": {"Hand": 0.17}, "accepted": 0.99, "confidence": 0.999},
            "card": "# mednist",
        }
    )

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


class Alive(_Shape):
    model_config = _example({"status": "ok"})

    status: Literal["ok"]
