"""Pictures we draw: the golden set of a bundle, and tiny data sets to test with. No patient was ever near them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from app.imaging import Pixels, preview
from app.model.classifier import Outputs
from app.model.manifest import Golden

SIDE = 64
OF_EACH_KIND = 40  # among which the golden pictures are chosen
LEAST_SURE = 10  # golden pictures, beside the surest of each class

Draw = Callable[[ImageDraw.ImageDraw, np.random.Generator], None]


def _oval(pen: ImageDraw.ImageDraw, x: float, y: float, width: float, height: float, grey: float) -> None:
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    pen.ellipse([SIDE * value for value in box], fill=int(grey))


def _abdomen(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _oval(pen, 0.5, 0.5, 0.9, 0.66, 110)
    _oval(pen, 0.5, 0.5, 0.8, 0.56, 60)
    _oval(pen, 0.33, 0.45, 0.36, 0.36, rng.uniform(140, 170))
    _oval(pen, 0.72, 0.4, 0.2, 0.2, rng.uniform(120, 170))
    _oval(pen, 0.5, 0.68, 0.14, 0.12, 235)


def _chest(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _oval(pen, 0.5, 0.5, 0.94, 0.7, rng.uniform(120, 150))
    for x in (0.3, 0.7):
        _oval(pen, x, 0.48, 0.3, 0.5, rng.uniform(5, 40))
    _oval(pen, 0.54, 0.45, 0.22, 0.26, 165)
    _oval(pen, 0.5, 0.72, 0.12, 0.12, 235)


def _head(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _oval(pen, 0.5, 0.5, 0.72, 0.88, 250)
    _oval(pen, 0.5, 0.5, 0.64, 0.8, rng.uniform(90, 130))
    for x in (0.44, 0.56):
        _oval(pen, x, 0.48, 0.07, 0.26, rng.uniform(30, 60))


def _hand(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    grey = int(rng.uniform(130, 190))
    pen.polygon([(20, 62), (18, 38), (44, 36), (44, 62)], fill=grey)
    for finger, length in enumerate((14, 24, 27, 23)):
        x = 18 + 7 * finger
        pen.rounded_rectangle((x, 38 - length, x + 5, 42), 2, fill=grey)
        pen.line((x + 2, 40 - length, x + 2, 56), fill=240)
    pen.line((44, 52, 56, 32), fill=grey, width=6)


def _radiograph(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    pen.rectangle((0, 0, SIDE, SIDE), fill=int(rng.uniform(150, 190)))
    for x in (0.28, 0.72):
        _oval(pen, x, 0.45, 0.3, 0.7, rng.uniform(40, 80))
    for y in range(8, 56, 7):
        pen.arc((4, y - 6, 60, y + 10), 200, 340, fill=130)
    _oval(pen, 0.55, 0.62, 0.3, 0.3, 205)


def _breast(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    for x in (0.27, 0.73):
        _oval(pen, x, 0.42, 0.4, 0.62, rng.uniform(60, 100))
        _oval(pen, x, 0.38, 0.24, 0.34, rng.uniform(120, 200))
    pen.rectangle((0, 44, SIDE, SIDE), fill=70)
    _oval(pen, 0.5, 0.9, 0.5, 0.36, 25)


KINDS: dict[str, Draw] = {
    "AbdomenCT": _abdomen,
    "BreastMRI": _breast,
    "CXR": _radiograph,
    "ChestCT": _chest,
    "Hand": _hand,
    "HeadCT": _head,
}


def draw(kind: str, rng: np.random.Generator) -> Pixels:
    """A phantom of one of KINDS: shifted, blurred and noisy, (64, 64)."""
    canvas = Image.new("L", (SIDE, SIDE), int(rng.integers(0, 20)))
    KINDS[kind](ImageDraw.Draw(canvas), rng)
    shift = rng.uniform(-4, 4, 2)
    canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, (1, 0, shift[0], 0, 1, shift[1]))
    canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    return (np.asarray(canvas) + rng.normal(0, 4, (SIDE, SIDE))).clip(0, 255).astype(np.uint8)


def png(pixels: Pixels) -> bytes:
    return preview.png(Image.fromarray(pixels))


def write_data_set(root: Path, kinds: list[str], count: int, seed: int) -> None:
    """`count` phantoms of each kind as <root>/<kind>/<number>.png: the layout training reads."""
    for kind in kinds:
        (root / kind).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng([seed, number, *kind.encode()])
            (root / kind / f"{number:06d}.png").write_bytes(png(draw(kind, rng)))


def candidates(seed: int) -> list[Pixels]:
    return [draw(kind, np.random.default_rng([seed, number])) for kind in KINDS for number in range(OF_EACH_KIND)]


def choose(answers: Outputs) -> list[int]:
    """Rows worth replaying: the surest of each class the model finds, and the ones in mid-confidence, where drift shows."""
    confidence, labels = answers.probabilities.max(axis=1), answers.probabilities.argmax(axis=1)
    order = np.argsort(confidence)
    surest = [int(order[labels[order] == label][-1]) for label in np.unique(labels)]
    return sorted({*surest, *order[:LEAST_SURE].tolist()})


def golden(pictures: list[Pixels], answers: Outputs, folder: Path) -> list[Golden]:
    """Write the chosen pictures under `folder`/golden and say what each must answer."""
    (folder / "golden").mkdir()
    chosen = []
    for row in choose(answers):
        name = f"golden/{row:03d}.png"
        (folder / name).write_bytes(png(pictures[row]))
        score = None if answers.ood_score is None else float(answers.ood_score[row])
        chosen.append(Golden(file=name, probabilities=answers.probabilities[row].tolist(), ood_score=score))
    return chosen
