"""Every published figure, computed from a bundle through the service's own Classifier."""

import os
import timeit
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import median

import numpy as np

from app.imaging import Picture, Pixels, to_input
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from training import occlusion
from training.augmenter import Augmenter
from training.companions import Companions
from training.corruptions import CORRUPTIONS
from training.datasets import NO_CLASS, Indices
from training.external import External, held_out
from training.figures import Elsewhere, Metrics, Scores, on_corruptions, on_elsewhere, on_split
from training.intervals import mean, share
from training.split import Split

TIMED_REPEATS = {1: 200, 32: 50}  # pictures a forward pass, and how often it is timed


@dataclass(frozen=True)
class Evaluation:
    """One bundle on everything there is to judge it by."""

    test: Scores
    corrupted: dict[str, Scores]  # the test split under each change
    held_out: Elsewhere | None  # companions never trained on
    external: Elsewhere | None
    metrics: Metrics


def evaluate(
    classifier: Classifier, split: Split, companions: Companions | None, external: External | None
) -> Evaluation:
    """Judge `classifier` on the validation and test splits, the test split changed, and pictures from elsewhere.

    The split's pictures are at least as large as the model's input; changes are made before shrinking to it.
    """
    classes, inputs, labels = classifier.classes, split.pictures.inputs, split.pictures.labels
    val, test = (score(classifier, inputs[rows], labels[rows]) for rows in map(split.rows, ("val", "test")))
    rows = split.rows("test")
    corrupted = _changed(classifier, inputs[rows], labels[rows])
    metrics = _on_no_class(classifier, split)
    metrics |= on_split(val, classes, "val") | on_split(test, classes, "test") | on_corruptions(corrupted)
    if test.answers.evidence is not None:
        metrics["explanation_cost"] = occlusion.cost(classifier, _shrunk(inputs[rows], classifier.size))
    kept = judged(classifier, held_out(companions, classifier.view)) if companions else None
    if companions and kept:
        metrics |= on_elsewhere(kept, classes, "heldout_", "heldout_") | _on_new_kinds(kept, companions)
        metrics |= _on_classes_without(classifier, split, companions)
    elsewhere = judged(classifier, external) if external else None
    if elsewhere:
        metrics |= on_elsewhere(elsewhere, classes, "external_", "")
    return Evaluation(test, corrupted, kept, elsewhere, metrics)


def judged(classifier: Classifier, pictures: External) -> Elsewhere:
    return Elsewhere(pictures, score(classifier, pictures.inputs, pictures.labels))


def _changed(classifier: Classifier, inputs: Pixels, labels: Indices) -> dict[str, Scores]:
    return {
        name: score(classifier, np.ascontiguousarray(corrupt(inputs[:, :, :, 0]))[..., np.newaxis], labels)
        for name, corrupt in CORRUPTIONS.items()
    }


def _on_no_class(classifier: Classifier, split: Split) -> Metrics:
    """The user's own pictures of none of the classes, where there are some in the test split."""
    strangers = split.of_no_class("test")
    if not len(strangers):
        return {}
    return {"test_none_accepted": share(score(classifier, strangers, np.full(len(strangers), NO_CLASS)).accepted)}


def _on_new_kinds(found: Elsewhere, companions: Companions) -> Metrics:
    """Strangers of kinds none of which was trained on."""
    new = companions.held_out[companions.held_out != ""] == "kind"
    if not new.any():
        return {}
    return {"heldout_new_kinds_accepted": share(found.scores.accepted[new], found.pictures.sources[new])}


def _on_classes_without(classifier: Classifier, split: Split, companions: Companions) -> Metrics:
    """Acceptance of classes that no held-out companion is of: validation pictures, augmented as in training, and changed."""
    rows, found = split.rows("val"), {}
    labels, inputs = split.pictures.labels[rows], split.pictures.inputs[rows]
    without = np.setdiff1d(labels, companions.labels[companions.kept(strangers=False)])
    if not len(without) or not classifier.bundle.manifest.ood:
        return {}
    augmented = Augmenter(split, rows).augmented(np.random.default_rng([split.seed, 2]), np.arange(len(rows)))
    for label in without:
        name, chosen = classifier.classes[label], labels == label
        seen = score(classifier, augmented[chosen][..., np.newaxis], labels[chosen])
        changed = _changed(classifier, inputs[chosen], labels[chosen])
        found[f"val_augmented_accepted_{name}"] = share(seen.accepted)
        found[f"val_changed_accepted_{name}"] = mean(np.mean([scores.accepted for scores in changed.values()], axis=0))
    return found


def score(classifier: Classifier, inputs: Pixels, labels: Indices) -> Scores:
    """Judge `inputs`, uint8 (n, side, side, 1), shrunk to the model's size where they are larger."""
    ood = classifier.bundle.manifest.ood
    return Scores(labels, classifier(_shrunk(inputs, classifier.size)), ood.threshold if ood else 1.0)


def _shrunk(inputs: Pixels, size: int) -> Pixels:
    if inputs.shape[1] == size:
        return inputs
    return np.stack([to_input(Picture(pixels[:, :, 0], "PNG", "L"), size) for pixels in inputs])


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
