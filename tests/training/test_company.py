"""Companions and the user's own pictures in a batch: how often each is drawn, through which windows, from which rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.imaging import View
from tests.conftest import KINDS
from training import company, datasets, phantoms, split
from training.companions import Companions
from training.company import Company
from training.datasets import NO_CLASS
from training.recipes.recipe import Batches
from training.recipes.robust import RECIPE, AugmentedBatches
from training.split import Split

CLASSES = [*KINDS, "CXR"]  # of which the last is the user's own
NEVER_GREY = 280, -250  # Hounsfield units above and below any window of the brain, and within some of the trunk


def companions(counts: dict[tuple[str, str], int], hounsfield: int | None = None, seed: int = 3) -> Companions:
    """White noise of these classes and origins, or flat CT of so many Hounsfield units."""
    pairs = [pair for pair, count in counts.items() for _ in range(count)]
    rows = [{"class": name, "kind": origin, "origin": origin, "held_out": ""} for name, origin in pairs]
    rows.append(rows[0] | {"held_out": "origin"})
    noise = np.random.default_rng(seed).integers(0, 256, (len(rows), 64, 64, 1), dtype=np.uint8)
    measured = np.arange(0 if hounsfield is None else len(rows))
    units = np.full((len(measured), 256, 256), hounsfield or 0, np.int16)
    return Companions(CLASSES, rows, noise, units, measured, gone=[], sha256="")


COUNTS = {("Hand", "there"): 16, ("HeadCT", "there"): 4, ("none", "knee"): 9, ("none", "foot"): 36}
BESIDE = companions(COUNTS)
FEW_DRAWN = replace(RECIPE, pool=60, material=60)


@pytest.fixture(scope="module")
def parts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Split:
    """The phantoms, and behind them 20 and 80 hands from two places, five of a class of their own, and flat strangers."""
    root, cache = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("cache")
    for name, count, seed in (("here", 20, 7), ("away", 80, 8)):
        phantoms.write_data_set(root / name, ["Hand"], count, seed)
        (root / "Hand").mkdir(exist_ok=True)
        (root / name / "Hand").rename(root / "Hand" / name)
        (root / name).rmdir()
    phantoms.write_data_set(root, ["CXR"], 5, 9)
    (root / "none").mkdir()
    for grey in range(60, 160, 5):
        (root / "none" / f"{grey}.png").write_bytes(phantoms.png(np.full((64, 64), grey, np.uint8)))
    main, own = (datasets.load(folder, View(64), cache, least=1) for folder in (data, root))
    return split.join(split.make(main, "blocked", 0), split.make(own, "blocked", 0))


def shares(drawn: Company, label: int) -> dict[str, float]:
    """How often each source is drawn, of one class."""
    members = drawn.labels == label
    return {name: drawn.weights[members & (drawn.sources == name)].sum() for name in np.unique(drawn.sources[members])}


def test_classes_are_drawn_alike_and_origins_by_the_root_of_their_size() -> None:
    counts = {("Hand", "one"): 36, ("Hand", "two"): 4, ("HeadCT", "one"): 3, ("AbdomenCT", "two"): 60}
    drawn = company.of_companions(companions(counts), strangers=False)
    _, labels = drawn.draw(np.random.default_rng(0), 3000)
    assert np.bincount(labels) == pytest.approx([1000, 1000, 1000], rel=0.1)
    assert shares(drawn, CLASSES.index("Hand")) == pytest.approx({"one": 6 / 8 / 3, "two": 2 / 8 / 3})
    assert len(drawn.labels) == sum(counts.values())  # without what is held out


def test_strangers_are_drawn_by_the_root_of_their_kinds() -> None:
    drawn = company.of_companions(BESIDE, strangers=True)
    assert shares(drawn, NO_CLASS) == pytest.approx({"knee": 1 / 3, "foot": 2 / 3})


@pytest.mark.parametrize("units", NEVER_GREY)
def test_a_ct_is_seen_through_a_window_drawn_anew_and_a_head_through_those_of_the_brain(units: int) -> None:
    rng, rows = np.random.default_rng(0), np.zeros(50, np.intp)
    heads, trunks = (
        company.of_companions(companions({(name, "there"): 1}, units), strangers=False)._shown(rng, rows)
        for name in ("HeadCT", "AbdomenCT")
    )
    assert np.unique(heads).tolist() == [units > 0]
    assert len(np.unique(trunks[:, 0, 0])) > 10


def test_what_is_joined_keeps_its_own_hounsfield_units() -> None:
    flat = company.of_companions(companions({("HeadCT", "there"): 2}, 280), strangers=False)
    noise = company.of_companions(BESIDE, strangers=False)
    for joined, first in ((flat + noise, 0), (noise + flat, len(noise.labels))):
        shown = joined._shown(np.random.default_rng(0), np.arange(len(joined.labels)))
        assert np.flatnonzero((shown == 1).all((1, 2))).tolist() == [first, first + 1]


def test_ones_own_share_a_class_with_companions_and_sub_folders_are_origins(parts: Split) -> None:
    drawn = AugmentedBatches(parts, BESIDE, RECIPE).company
    hands = shares(drawn, CLASSES.index("Hand"))
    assert set(hands) == {"there", "extra/Hand/here", "extra/Hand/away"}
    own = {name: np.count_nonzero(drawn.sources[drawn.labels == CLASSES.index("Hand")] == name) for name in hands}
    assert own["extra/Hand/here"] + own["extra/Hand/away"] == 80  # a fifth of the hundred is not trained on
    roots = {name: count**0.5 for name, count in own.items()}
    assert hands == pytest.approx({name: root / sum(roots.values()) / 3 for name, root in roots.items()})


def test_a_class_of_five_pictures_is_in_every_batch(parts: Split) -> None:
    batches = AugmentedBatches(parts, BESIDE, RECIPE)
    each = [np.count_nonzero(batches[number][1][:, CLASSES.index("CXR")] == 1) for number in range(5)]
    assert min(each) > 0
    assert np.mean(each) == pytest.approx(RECIPE.companions / len(CLASSES), rel=0.3)


def test_ones_own_are_not_drawn_as_pictures_of_the_data_set_too(parts: Split) -> None:
    batches = AugmentedBatches(parts, BESIDE, RECIPE)
    assert set(parts.pictures.origins[batches.rows]) == {""}
    assert set(parts.assigned[batches.rows]) == {"train"}
    assert len(batches.rows) + np.count_nonzero(np.char.startswith(batches.company.sources, "extra/")) == len(
        Batches(parts, 32).rows  # preset article's
    )


def test_without_companions_ones_own_are_no_more_of_a_batch_than_there_are(parts: Split) -> None:
    hands = parts.pictures.labels == CLASSES.index("Hand")
    few = replace(parts, assigned=np.where(hands, "", parts.assigned))
    inputs, targets, _ = AugmentedBatches(few, None, replace(FEW_DRAWN, phantoms=0))[0]
    assert len(inputs) == RECIPE.batch_size
    assert np.count_nonzero(targets[:, CLASSES.index("CXR")] == 1) == 3  # five, without validation and test


def test_half_of_the_strangers_are_ones_own(parts: Split) -> None:
    one, other = (AugmentedBatches(parts, companions(COUNTS, seed=seed), RECIPE)[0] for seed in (3, 4))
    same = (one[0] == other[0]).all((1, 2, 3))  # all else is drawn alike
    assert np.count_nonzero(same[one[2] == RECIPE.stranger_weight]) == RECIPE.strangers // 2


@pytest.mark.parametrize("beside", [BESIDE, None])
def test_a_seed_repeats_a_batch(parts: Split, beside: Companions | None) -> None:
    one, other = AugmentedBatches(parts, beside, FEW_DRAWN), AugmentedBatches(parts, beside, FEW_DRAWN)
    other.start(epoch=2)
    other.start(epoch=0)
    assert all(np.array_equal(a, b) for a, b in zip(one[3], other[3], strict=True))
    assert not np.array_equal(one[3][0], one[4][0])
