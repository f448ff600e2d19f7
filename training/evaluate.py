"""Figures with their intervals, computed from a bundle through the service's own Classifier."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from app.model.bundle import Metric
from app.model.classifier import Classifier, Floats
from training.datasets import Indices
from training.split import Split

Z = 1.959964  # 95 %, two-sided


@dataclass(frozen=True)
class Scores:
    """The bundle's answers for one split."""

    rows: Indices  # (n,) positions in the Pictures
    labels: Indices  # (n,) the truth
    probabilities: Floats  # (n, classes)

    @property
    def predicted(self) -> Indices:
        found: Indices = self.probabilities.argmax(axis=1)
        return found

    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, classes): truth down, answer across."""
        counts = np.zeros((self.probabilities.shape[1],) * 2, np.int64)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def mistakes(self) -> Indices:
        """Positions in this split answered wrongly, the surest first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=1), kind="stable")]


def score(classifier: Classifier, split: Split, name: str) -> Scores:
    rows = split.rows(name)
    return Scores(rows, split.pictures.labels[rows], classifier(split.pictures.inputs[rows]).probabilities)


def share(hits: int, n: int) -> Metric:
    """`hits` of `n` with Wilson's interval (J. Am. Stat. Assoc. 22:209, 1927)."""
    p, z = hits / n, Z**2 / n
    middle, reach = (p + z / 2) / (1 + z), Z * sqrt(p * (1 - p) / n + z / (4 * n)) / (1 + z)
    return Metric(value=p, low=min(p, max(0.0, middle - reach)), high=max(p, min(1.0, middle + reach)), n=n)


def metrics(scores: Scores, classes: list[str], split: str) -> dict[str, Metric]:
    """Accuracy and each class's recall on one split."""
    counts = scores.confusion()
    found = {f"{split}_accuracy": share(int(counts.trace()), int(counts.sum()))}
    for index, name in enumerate(classes):
        found[f"{split}_recall_{name}"] = share(int(counts[index, index]), int(counts[index].sum()))
    return found
