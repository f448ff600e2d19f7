"""Whether the evidence explains: hiding what it points at must cost more than hiding as much elsewhere."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.imaging import Pixels
from app.model.classifier import Classifier, Floats
from app.model.manifest import Metric
from training.batch_random import border
from training.intervals import Flags, mean

HIDDEN_SHARE = 0.2


def cost(classifier: Classifier, inputs: Pixels) -> Metric:
    """How much more of the label's probability is lost by hiding the hottest fifth of a picture's own map than by
    hiding the hottest fifth of another picture's; what is hidden gets the border's median. `inputs` (n, side, side, 1).
    """
    answers = classifier(inputs)
    assert answers.evidence is not None
    labels, every = answers.probabilities.argmax(axis=1), np.arange(len(inputs))
    own = hottest(answers.evidence[every, :, :, labels], inputs.shape[1])
    others = own[np.random.default_rng(0).permutation(len(own))]
    kept_own, kept_other = (_probability(classifier, inputs, hidden, labels) for hidden in (own, others))
    return mean(kept_other - kept_own)


def hottest(evidence: Floats, side: int) -> Flags:
    """The fifth of each picture with the most evidence, (n, side, side), from maps (n, h, w)."""
    maps = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in evidence]
    heat = np.stack(maps)
    return np.asarray(heat >= np.quantile(heat, 1 - HIDDEN_SHARE, axis=(1, 2), keepdims=True))


def _probability(classifier: Classifier, inputs: Pixels, hidden: Flags, labels: npt.NDArray[np.intp]) -> Floats:
    pictures = inputs[:, :, :, 0]
    filled = np.where(hidden, border(pictures.astype(np.float32)), pictures).astype(np.uint8)
    return classifier(filled[:, :, :, np.newaxis]).probabilities[np.arange(len(labels)), labels]
