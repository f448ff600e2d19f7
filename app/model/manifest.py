"""bundle.json: what a bundle says about itself."""

import hashlib
from datetime import UTC, datetime
from operator import not_
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from app.imaging import View


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("a listed file lies outside the bundle")
    return name


NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,199}$"  # with the version behind it a folder's, which may have 255 bytes
FileName = Annotated[str, AfterValidator(_inside)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class CtWindow(_Part):
    """The Hounsfield units from black to white, as DICOM states a window."""

    center: float = Field(allow_inf_nan=False, description="The value in the middle.")
    width: float = Field(ge=1, allow_inf_nan=False, description="From black to white, 1 or more.")


class Input(_Part):
    """What the model takes: uint8 (n, size, size, channels), shrunk the way `resample` names.

    A CT in Hounsfield units is seen through `ct_window`, or without one through the file's own.
    """

    size: int = Field(ge=1, le=1024, description="Pixels a side, 1 to 1024.")
    channels: Literal[1] = Field(1, description="1: grey.")
    resample: str = Field(description="How a picture is shrunk to that size.")
    ct_window: CtWindow | None = Field(
        default=None,
        exclude_if=not_,  # so older bundles keep their version
        description="Through which a CT in Hounsfield units is seen; absent: through the file's own.",
    )

    @property
    def view(self) -> View:
        window = self.ct_window
        return View(self.size, (window.center, window.width) if window else None)


class Golden(_Part):
    """A drawn picture and the answer computed for it at export, replayed at every start."""

    file: FileName
    probabilities: list[float]
    ood_score: float | None = None


class Ood(_Part):
    """How strangers are told: a picture whose `ood_score` lies above `threshold` is refused."""

    method: str = Field(description="What the score is made of.")
    threshold: float = Field(
        gt=0, lt=1, description="Above 0 and below 1; a picture whose score lies above is refused."
    )
    parameters: dict[str, float] = Field({}, description="What the method was given.")


class Terms(_Part):
    """What a DICOM header says of pictures of a class: words and codes for the body part, and modalities."""

    body_part: list[str]
    modality: list[str] = []  # none: any


class Metric(_Part):
    """A share with its 95 % interval and the number of pictures behind it.

    The interval is over `origins`, how many whole ones were drawn again, or without that number over pictures.
    """

    value: float = Field(description="Mostly a share, from 0 to 1.")
    low: float = Field(description="Lower end of the interval.")
    high: float = Field(description="Upper end of the interval.")
    n: int = Field(description="How many pictures it was measured on.")
    origins: int | None = Field(
        default=None,
        exclude_if=not_,  # here as well
        description="How many places they come from; absent where the interval is over pictures.",
    )


class Manifest(_Part):
    """bundle.json."""

    format: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    version: str = ""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    classes: list[str] = Field(min_length=2)
    input: Input
    files: dict[FileName, str] = {}
    temperature: float = Field(default=1.0, gt=0)
    ood: Ood | None = None
    dicom: dict[str, Terms] = Field(default={}, exclude_if=not_)  # and here
    golden: list[Golden] = []
    metrics: dict[str, Metric] = {}
    data: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}

    def fingerprint(self) -> str:
        """The version: first 12 hex digits of the sha256 of everything but `version` and `created`."""
        content = self.model_dump_json(exclude={"version", "created"})
        return hashlib.sha256(content.encode()).hexdigest()[:12]
