"""Pictures of Medical MNIST as another scanner or display would have made them.

Its CT lost everything below soft tissue: fat, lung and air are one flat grey, and not so in anybody else's pictures. So
each grey gets back the Hounsfield units of what lies there, judged by the depth below the body's outline and by
how much visible tissue is near, and is shown through another window. Its breast MRI is repainted fat-suppressed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.imaging import Pixels
from training.batch_random import COLUMNS, ROWS, BatchRandom, Greys, Mask, border

AIR, GAS, LUNG, FAT = -1000.0, -900.0, (-900.0, -750.0), (-130.0, -60.0)  # Hounsfield units
REPAINTED_SHARE = 0.65  # of the pictures that can be repainted
VISIBLE_LEVELS = 12  # grey levels above the border that count as tissue
OUTLINE_DIRECTIONS = 24  # half-planes whose meeting is the body's outline
LEVELS_PER_PIXEL = 4  # of depth, in the stored plane
OUTLINED_AT_ONCE = 1000  # pictures

Range = tuple[float, float]


@dataclass(frozen=True)
class Body:
    """n pictures of one class, 0…1, and what `outline` found in them."""

    greys: Greys  # (n, side, side)
    depth: Greys  # pixels below the outline
    density: Greys  # 0…1, visible tissue nearby

    @property
    def inside(self) -> Mask:
        return self.depth > 0

    @property
    def deepest(self) -> Greys:
        return self.depth.max((1, 2), keepdims=True)

    @property
    def tissue(self) -> Greys:
        """Grey above the background, which is the level everything below the window was clipped to."""
        return np.clip(self.greys - border(self.greys), 0, 1)


def outline(pictures: Pixels, rows: npt.NDArray[np.intp], names: npt.NDArray[np.str_]) -> Pixels:
    """Two planes for each of `rows`, (n, 2, side, side): depth below the convex outline, density of visible tissue.

    `names` are the classes of those n.
    """
    planes = np.zeros((len(rows), 2, *pictures.shape[1:]), np.uint8)
    for name, (reach, _) in REPAINTED.items():
        members = np.flatnonzero(names == name)
        for start in range(0, len(members), OUTLINED_AT_ONCE):
            some = members[start : start + OUTLINED_AT_ONCE]
            planes[some] = _outline(pictures[rows[some]].astype(np.float32), reach)
    return planes


def repaint(rng: np.random.Generator, pictures: Pixels, planes: Pixels, names: npt.NDArray[np.str_]) -> Greys:
    """Some of `pictures` (n, side, side) shown otherwise, the rest as they are; `names` are their classes."""
    greys = pictures / np.float32(255)
    chosen = rng.random(len(pictures)) < REPAINTED_SHARE
    for name, (_, paint) in REPAINTED.items():
        if len(rows := np.flatnonzero((names == name) & chosen)):
            depth, density = planes[rows, 0] / np.float32(LEVELS_PER_PIXEL), planes[rows, 1] / np.float32(255)
            greys[rows] = paint(BatchRandom(rng, len(rows)), Body(greys[rows], depth, density))
    return greys


def _outline(greys: Greys, reach: int) -> Pixels:
    visible = greys - border(greys) > VISIBLE_LEVELS
    body = visible & _largest(visible, reach)
    depth = np.full(greys.shape, 99, np.float32)
    for angle in np.arange(OUTLINE_DIRECTIONS) * 2 * np.pi / OUTLINE_DIRECTIONS:
        height = ROWS * np.float32(np.sin(angle)) + COLUMNS * np.float32(np.cos(angle))
        depth = np.minimum(depth, np.where(body, height, -99).max((1, 2), keepdims=True) + 0.5 - height)
    smooth = ndimage.gaussian_filter(depth, (0, 2, 2)) * LEVELS_PER_PIXEL
    density = ndimage.gaussian_filter(body.astype(np.float32), (0, 1.5, 1.5)) * 255
    return np.stack([smooth.clip(0, 255), density], axis=1).astype(np.uint8)


def _largest(visible: Mask, reach: int) -> Mask:
    """The largest thing in each picture, its parts being at most 2 × `reach` pixels apart."""
    within = np.zeros((3, 3, 3), bool)
    within[1] = True  # neighbours in a picture, not across pictures
    things, count = ndimage.label(ndimage.binary_dilation(visible, within, reach), within)
    sizes = np.bincount(things.ravel(), minlength=count + 1)
    sizes[0] = 0
    flat = things.reshape(len(visible), -1)
    largest = flat[np.arange(len(flat)), sizes[flat].argmax(axis=1)]
    return things == largest[:, np.newaxis, np.newaxis]


def _shown(rng: BatchRandom, body: Body, hounsfield: Greys) -> Greys:
    """Through a random window: what lies outside the body is air, save tables and clothes where they show."""
    beside = np.where((body.tissue > 0.05) & rng.chance(0.7), body.tissue * 600 - 200, AIR)
    values = np.where(body.inside, hounsfield, beside) + rng.noise() * rng.uniform(0, 40)
    width = rng.log_uniform(120, 2500)
    level = rng.uniform(-0.4, 0.1) * width + rng.uniform(0, 80)
    return np.clip((values - level) / width + 0.5, 0, 1)


def _fat(rng: BatchRandom) -> Greys:
    return rng.uniform(*FAT) + 25 * rng.clouds(8)


def _abdomen(rng: BatchRandom, body: Body) -> Greys:
    """The gaps are fat, and now and then gas in the bowel."""
    fat, tissue = _fat(rng), rng.uniform(-10, 60) + body.tissue * rng.uniform(200, 900)
    gas = (rng.clouds(9) > rng.uniform(0.5, 3)) & (body.depth > 0.25 * body.deepest)
    return _shown(rng, body, np.where(body.tissue > 0.05, tissue, np.where(gas, GAS, fat)))


def _head(rng: BatchRandom, body: Body) -> Greys:
    """White is skull of any density; the gaps are scalp outside and air or fluid inside."""
    fat, skull = _fat(rng), rng.uniform(150, 1200) + 150 * rng.clouds(10)
    cavity = np.where(rng.clouds(6) > rng.uniform(-1, 2), GAS, rng.uniform(-100, 10))
    gaps = np.where(body.depth > 0.3 * body.deepest, cavity, fat)
    brain = body.tissue * rng.uniform(60, 120)
    return _shown(rng, body, np.where(body.greys > 0.96, skull, np.where(body.tissue > 0.05, brain, gaps)))


def _chest(rng: BatchRandom, body: Body) -> Greys:
    """The gaps are lung within two ovals beside a heart, and muscle under fat elsewhere."""
    down, right = _placed(body)
    wall = rng.uniform(0.08, 0.35) * body.deepest
    solid = body.density > rng.uniform(0.25, 0.5)
    heart = _oval(rng, down, right, (-0.4, 0), (-0.05, 0.25), (0.15, 0.6), (0.15, 0.5)) & rng.chance(0.7)
    lungs = np.zeros_like(heart)
    for middle in ((-0.6, -0.45), (0.45, 0.6)):
        lungs |= _oval(rng, down, right, (-0.1, 0.1), middle, (0.6, 1.1), (0.28, 0.48))
    muscle = rng.uniform(10, 70) + 20 * rng.clouds(8)
    values = np.where(heart, muscle + rng.uniform(0, 200) * rng.chance(0.5), muscle)
    values = np.where(body.depth < rng.uniform(0.1, 0.8) * wall, _fat(rng), values)
    values = np.where(solid, muscle + body.density * rng.uniform(0, 300), values)
    vessels = np.clip(rng.noise() - 1, 0, 2) * rng.uniform(0, 500)
    lung = rng.uniform(*LUNG) + 60 * rng.clouds(6) + vessels
    values = np.where((body.depth > wall) & lungs & ~heart & ~solid, lung, values)
    ribs = (body.depth < 1.5 * wall + 2) & (body.density < 0.5)
    spine = (down > 0.2) & (np.abs(right) < 0.25)
    bone = (body.tissue > 0.05) & (ribs | spine)
    return _shown(rng, body, np.where(bone, muscle + body.tissue * rng.uniform(300, 1200), values))


def _placed(body: Body) -> tuple[Greys, Greys]:
    """Rows and columns from the body's middle, in units of twice its standard deviation: about ±1 at its edge."""
    weight = body.inside.astype(np.float32)
    mass = np.maximum(weight.sum((1, 2), keepdims=True), 1)
    placed = []
    for axis in (ROWS, COLUMNS):
        middle = (weight * axis).sum((1, 2), keepdims=True) / mass
        spread = np.sqrt((weight * (axis - middle) ** 2).sum((1, 2), keepdims=True) / mass)
        placed.append((axis - middle) / (2 * spread + 1))
    return placed[0], placed[1]


def _oval(rng: BatchRandom, down: Greys, right: Greys, y: Range, x: Range, height: Range, width: Range) -> Mask:
    """An uneven oval whose middle and half-axes are drawn from ranges."""
    rows = (down - rng.uniform(*y)) / rng.uniform(*height)
    columns = (right - rng.uniform(*x)) / rng.uniform(*width)
    return rows**2 + columns**2 + 0.25 * rng.clouds(4) < 1


def _breast(rng: BatchRandom, body: Body) -> Greys:
    """Fat suppressed: fat turns dark; gland, skin and heart are bright."""
    faint = 0.8 * ((body.depth > 2) & (body.density > 0.012))
    whole = np.clip(np.maximum(body.density * 1.5, faint), 0, 1)
    skin = np.exp(-(((whole - 0.45) / 0.2) ** 2)) * rng.uniform(0, 0.6)
    turned = np.clip(1 - body.greys * rng.uniform(1, 2), 0, 1) * (0.7 + 0.5 * rng.clouds(10))
    inner = rng.uniform(0.05, 0.3) + rng.uniform(0.1, 0.8) * turned
    gland = np.clip(rng.clouds(8) - rng.uniform(0.3, 1.5), 0, 1) * rng.uniform(0, 1)
    return np.clip(whole * (inner + gland) + skin, 0, 1) * rng.uniform(0.3, 1)


# The classes of Medical MNIST whose look depends on a window or a sequence; any other class is left as it is. Of each,
# by how many pixels the parts of one body reach for each other, and what repaints it.
REPAINTED: dict[str, tuple[int, Callable[[BatchRandom, Body], Greys]]] = {
    "AbdomenCT": (2, _abdomen),
    "BreastMRI": (1, _breast),
    "ChestCT": (3, _chest),
    "HeadCT": (1, _head),
}
