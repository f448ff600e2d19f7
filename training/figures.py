"""What a bundle's answers for pictures of known class come to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.model.classifier import Floats, Outputs
from app.model.manifest import Metric
from training.datasets import Indices
from training.external import GROUPS, External
from training.intervals import Flags, auroc, calibration_error, mean, mean_recall, share

Metrics = dict[str, Metric]
Names = npt.NDArray[np.str_]

MIN_OF_KIND, OTHERS = (
    10,
    "other kinds",
)  # strangers of a kind that has a figure of its own, and what the others are called


@dataclass(frozen=True)
class Scores:
    """The bundle's answers for some pictures of known class."""

    labels: Indices  # (n,) the truth, -1 for none of the classes
    answers: Outputs
    threshold: float  # of ood_score; 1 where the bundle has none

    @property
    def predicted(self) -> Indices:
        return np.asarray(self.answers.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> Floats:
        return np.asarray(self.answers.probabilities.max(axis=1))

    @property
    def right(self) -> Flags:
        return np.asarray(self.predicted == self.labels)

    @property
    def ood_score(self) -> Floats:
        """The model's own, or one minus the confidence where the bundle has none."""
        return 1 - self.confidence if self.answers.ood_score is None else self.answers.ood_score

    @property
    def accepted(self) -> Flags:
        return np.asarray(self.ood_score <= self.threshold)

    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, classes): truth down, answer across."""
        counts = np.zeros((self.answers.probabilities.shape[1],) * 2, np.int64)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def mistakes(self) -> Indices:
        """Positions answered wrongly, the surest first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]


@dataclass(frozen=True)
class Elsewhere:
    """Pictures that are not the data set's, and the bundle's answers for them."""

    pictures: External
    scores: Scores

    def only(self, group: str) -> Scores:
        rows = np.flatnonzero(self.pictures.groups == group)
        return Scores(self.scores.labels[rows], self.scores.answers[rows], self.scores.threshold)


def on_split(scores: Scores, classes: list[str], name: str) -> Metrics:
    """Accuracy, mean confidence, recall and precision by class, acceptance and calibration on one split.

    A class that is no answer has no precision.
    """
    found = {f"{name}_accuracy": share(scores.right), f"{name}_confidence": mean(scores.confidence)}
    found |= {f"{name}_recall_{kind}": share(scores.right[scores.labels == i]) for i, kind in enumerate(classes)}
    answered = np.unique(scores.predicted)
    found |= {f"{name}_precision_{classes[i]}": share(scores.right[scores.predicted == i]) for i in answered}
    if scores.answers.ood_score is not None:
        found[f"{name}_accepted"] = share(scores.accepted)
    return found | {f"{name}_calibration_error": calibration_error(scores.confidence, scores.right)}


def on_corruptions(scores: dict[str, Scores]) -> Metrics:
    """Accuracy under each change, their mean over changes (pictures resampled), and the worst of them."""
    each = {f"changed_{name}": share(found.right) for name, found in scores.items()}
    per_picture = np.mean([found.right for found in scores.values()], axis=0)
    return {
        "changed_mean": mean(per_picture),
        "changed_worst": min(each.values(), key=lambda metric: metric.value),
    } | each


def on_elsewhere(found: Elsewhere, classes: list[str], own: str, other: str) -> Metrics:
    """How the bundle fares elsewhere: overall, by class, origin, view and kind.

    Names of figures of the classes begin with `own`, those of views never trained on and of strangers with `other`.
    """
    scores, pictures = found.scores, found.pictures
    inside, off, out = (pictures.groups == name for name in GROUPS)
    metrics = _on_classes(scores, pictures, classes, own) if inside.any() else {}
    if inside.any() and out.any():
        strange, origins = scores.ood_score, pictures.sources
        metrics[f"{other}auroc"] = auroc(strange[inside], strange[out], origins[inside], origins[out])
    wrong = scores.accepted & ~scores.right
    metrics |= _shares(f"{other}off_protocol_wrong", wrong, off, pictures.kinds, pictures.sources)
    kinds = _pooled(pictures.kinds, out)
    return metrics | _shares(f"{other}out_accepted", scores.accepted, out, kinds, pictures.sources)


def _on_classes(scores: Scores, pictures: External, classes: list[str], own: str) -> Metrics:
    inside, origins = pictures.groups == "in", pictures.sources
    found = {f"{own}mean_recall": mean_recall(scores.right[inside], scores.labels[inside], origins[inside])}
    found |= _three(scores, inside, origins, f"{own}accuracy", f"{own}accepted", f"{own}calibration_error")
    for label in np.unique(scores.labels[inside]):
        chosen, name = inside & (scores.labels == label), classes[label]
        names = f"{own}recall_{name}", f"{own}accepted_{name}", f"{own}calibration_error_{name}"
        found |= _three(scores, chosen, origins, *names)
    for name in np.unique(origins[inside]):
        names = f"{own}accuracy_{name}", f"{own}accepted_of_{name}", f"{own}calibration_error_of_{name}"
        found |= _three(scores, inside & (origins == name), origins, *names)
    return found


def _three(scores: Scores, chosen: Flags, origins: Names, right: str, accepted: str, error: str) -> Metrics:
    """Those of the chosen, by these names."""
    return {
        right: share(scores.right[chosen], origins[chosen]),
        accepted: share(scores.accepted[chosen], origins[chosen]),
        error: calibration_error(scores.confidence[chosen], scores.right[chosen], origins[chosen]),
    }


def _shares(name: str, hits: Flags, chosen: Flags, kinds: Names, origins: Names) -> Metrics:
    """The share of `hits` among the chosen, and among the chosen of each kind."""
    parts = {name: chosen} if chosen.any() else {}
    parts |= {f"{name}_{kind}": chosen & (kinds == kind) for kind in np.unique(kinds[chosen])}
    return {key: share(hits[rows], origins[rows]) for key, rows in parts.items()}


def _pooled(kinds: Names, chosen: Flags) -> Names:
    names, counts = np.unique(kinds[chosen], return_counts=True)
    return np.where(np.isin(kinds, names[counts < MIN_OF_KIND]), OTHERS, kinds)
