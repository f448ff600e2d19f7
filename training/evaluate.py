"""Every published figure, computed from a bundle through the service's own Classifier."""

import os
import timeit
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import median

import numpy as np
import numpy.typing as npt

from app.imaging import Picture, Pixels, to_input
from app.model.bundle import Bundle
from app.model.classifier import Classifier, Floats, Outputs
from app.model.manifest import Metric
from training import occlusion
from training.corruptions import CORRUPTIONS
from training.datasets import NO_CLASS, Indices
from training.external import GROUPS, External
from training.intervals import Flags, auroc, calibration_error, mean, mean_share, share
from training.split import Split

Metrics = dict[str, Metric]

TIMED_REPEATS = {1: 200, 32: 50}  # pictures a forward pass, and how often it is timed


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
class Evaluation:
    """One bundle on everything there is to judge it by."""

    test: Scores
    corrupted: dict[str, Scores]  # the test split under each change
    external: Scores | None
    metrics: Metrics


def evaluate(classifier: Classifier, split: Split, external: External | None) -> Evaluation:
    """Judge `classifier` on the validation and test splits, the test split changed, and pictures from elsewhere.

    The split's pictures are at least as large as the model's input; changes are made before shrinking to it.
    """
    classes, inputs, labels = classifier.classes, split.pictures.inputs, split.pictures.labels
    val, test = (score(classifier, inputs[rows], labels[rows]) for rows in map(split.rows, ("val", "test")))
    rows = split.rows("test")
    whole = inputs[rows, :, :, 0]
    corrupted = {
        name: score(classifier, np.ascontiguousarray(corrupt(whole))[:, :, :, np.newaxis], labels[rows])
        for name, corrupt in CORRUPTIONS.items()
    }
    metrics = _on_no_class(classifier, split)
    metrics |= on_split(val, classes, "val") | on_split(test, classes, "test") | on_corruptions(corrupted)
    if test.answers.evidence is not None:
        metrics["explanation_cost"] = occlusion.cost(classifier, _shrunk(inputs[rows], classifier.size))
    elsewhere = score(classifier, external.inputs, external.labels) if external else None
    if external and elsewhere:
        metrics |= on_external(elsewhere, external, classes)
    return Evaluation(test, corrupted, elsewhere, metrics)


def _on_no_class(classifier: Classifier, split: Split) -> Metrics:
    """The user's own pictures of none of the classes, where there are some in the test split."""
    strangers = split.of_no_class("test")
    if not len(strangers):
        return {}
    return {"test_none_accepted": share(score(classifier, strangers, np.full(len(strangers), NO_CLASS)).accepted)}


def score(classifier: Classifier, inputs: Pixels, labels: Indices) -> Scores:
    """Judge `inputs`, uint8 (n, side, side, 1), shrunk to the model's size where they are larger."""
    ood = classifier.bundle.manifest.ood
    return Scores(labels, classifier(_shrunk(inputs, classifier.size)), ood.threshold if ood else 1.0)


def _shrunk(inputs: Pixels, size: int) -> Pixels:
    if inputs.shape[1] == size:
        return inputs
    return np.stack([to_input(Picture(pixels[:, :, 0], "PNG", "L"), size) for pixels in inputs])


def on_split(scores: Scores, classes: list[str], name: str) -> Metrics:
    """Accuracy, mean confidence, recalls, acceptance and calibration on one split."""
    found = {f"{name}_accuracy": share(scores.right), f"{name}_confidence": mean(scores.confidence)}
    found |= {f"{name}_recall_{kind}": share(scores.right[scores.labels == i]) for i, kind in enumerate(classes)}
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


def on_external(scores: Scores, external: External, classes: list[str]) -> Metrics:
    """How the bundle fares on pictures from elsewhere: overall, then by class, view, kind and source."""
    inside, off, out = (external.groups == name for name in GROUPS)
    wrong = scores.accepted & ~scores.right
    by_class = {name: scores.right[inside & (external.labels == index)] for index, name in enumerate(classes)}
    by_class = {name: hits for name, hits in by_class.items() if len(hits)}
    found = {
        "external_mean_recall": mean_share(list(by_class.values())),
        "external_accepted": share(scores.accepted[inside]),
        "external_calibration_error": calibration_error(scores.confidence[inside], scores.right[inside]),
    } | {f"external_recall_{name}": share(hits) for name, hits in by_class.items()}
    if out.any():
        found["auroc"] = auroc(scores.ood_score[inside], scores.ood_score[out])
    found |= _shares("off_protocol_wrong", wrong, off, external.kinds)
    found |= _shares("out_accepted", scores.accepted, out, external.kinds)
    return found | _shares("external_accuracy", scores.right, inside, external.sources)


def _shares(name: str, hits: Flags, chosen: Flags, kinds: npt.NDArray[np.str_]) -> Metrics:
    """The share of `hits` among the chosen, and among the chosen of each kind."""
    found = {name: share(hits[chosen])} if chosen.any() else {}
    return found | {f"{name}_{kind}": share(hits[chosen & (kinds == kind)]) for kind in np.unique(kinds[chosen])}


def forward_milliseconds(bundle: Bundle) -> dict[int, float]:
    """Median milliseconds of a forward pass on one core, for 1 and 32 pictures; in a process of its own."""
    core = min(os.sched_getaffinity(0))
    with ProcessPoolExecutor(1, get_context("spawn"), os.sched_setaffinity, (0, {core})) as pool:
        return pool.submit(_time_forward, bundle).result()


def _time_forward(bundle: Bundle) -> dict[int, float]:
    classifier = Classifier(bundle)
    found = {}
    for count, repeats in TIMED_REPEATS.items():
        inputs = np.random.default_rng(0).integers(0, 256, (count, classifier.size, classifier.size, 1), np.uint8)
        found[count] = median(timeit.repeat(partial(classifier, inputs), number=1, repeat=repeats)) * 1e3
    return found
