"""What the files of a series show together, as the answer to a batch tells it: by index, and by no UID."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from app.imaging import Instance
from app.model import series
from app.model.classifier import Outputs
from app.model.manifest import Manifest
from app.model.prediction import EXAMPLE, Prediction

EXAMPLE_SERIES: JsonDict = {
    "indices": [0],
    "label": EXAMPLE["label"],
    "probabilities": EXAMPLE["probabilities"],
    "ranges": [{"first": 1, "last": 1, "label": EXAMPLE["label"]}],
}


class Range(BaseModel):
    """Neighbouring slices of one region."""

    first: int = Field(description="Where in `indices` it begins, counted from 1.")
    last: int = Field(description="Where it ends; that slice is in it.")
    label: str | None = Field(description="The class; null where the slices show none.")


class Series(BaseModel):
    """The DICOM files of one series, a slice each; those with an error are in none."""

    indices: list[int] = Field(
        description="Which of the files, in the order of the slices: along their normal, else by instance number, else as sent."
    )
    label: str | None = Field(
        description="The class that the slices show together; mixed where they show several, null where none, or one of "
        "another modality than the header's."
    )
    probabilities: dict[str, float] = Field(description="Of every class, the mean over the slices.")
    ranges: list[Range] = Field(description="From the first slice to the last.")


class _Slice(NamedTuple):
    file: int  # which of the batch
    found: Prediction
    instance: Instance


def told(manifest: Manifest, judged: Sequence[tuple[Prediction | Exception, Instance | None]]) -> list[Series]:
    """The series among the files of a batch, in the order of their first files."""
    slices = [
        _Slice(file, found, instance)
        for file, (found, instance) in enumerate(judged)
        if instance and isinstance(found, Prediction)
    ]
    groups = series.grouped(each.instance for each in slices)
    return [_together(manifest, [slices[at] for at in group]) for group in groups]


def _together(manifest: Manifest, slices: Sequence[_Slice]) -> Series:
    own = [series.Slice("", one.number, 0, one.places[0]) for _, _, one in slices]
    order = series.order(own)
    found = [slices[at].found for at in order]
    modalities = Counter(one.dicom.modality for one in found if one.dicom and one.dicom.modality)
    verdict = series.judge(manifest, [own[at] for at in order], _outputs(found), series.commonest(modalities))
    return Series(
        indices=[slices[at].file for at in order],
        label=verdict.label,
        probabilities=verdict.probabilities,
        ranges=[Range(**each._asdict()) for each in verdict.ranges],
    )


def _outputs(found: Sequence[Prediction]) -> Outputs:
    """What the model gave, a row for each."""
    scores = [each.ood_score for each in found if each.ood_score is not None]
    probabilities = np.array([[*each.probabilities.values()] for each in found], np.float32)
    return Outputs(probabilities, np.array(scores, np.float32) if scores else None)
