"""Options in place of the preset's own: what they change, what is written down of them, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.imaging import View
from app.model import bundle
from tests.conftest import options, train
from tests.running import run
from training import datasets, recipes, split
from training.recipes.robust import RECIPE, AugmentedBatches, Robust
from training.split import Split

CHANGED = ["--epochs", "1", "--steps", "2", "--batch-size", "16", "--learning-rate", "0.01"]


@pytest.fixture(scope="module")
def parts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Split:
    return split.make(datasets.load(data, View(64), tmp_path_factory.mktemp("cache")), "blocked", 0)


def refused(data: Path, base: Path, *more: str, preset: str = "article") -> str:
    """The one sentence."""
    done = run("training", *options(data, base, preset), *more)
    assert done.returncode == 2, done.stderr
    [sentence] = done.stderr.splitlines()
    return sentence


@pytest.mark.parametrize("rate", ["nan", "inf", "0", "-0.001", "fast"])
def test_a_learning_rate_is_a_number_above_zero(data: Path, tmp_path: Path, rate: str) -> None:
    assert "'--learning-rate'" in refused(data, tmp_path, f"--learning-rate={rate}")


def test_a_batch_has_a_picture_and_of_preset_robust_one_of_everything_it_mixes(data: Path, tmp_path: Path) -> None:
    assert "'--batch-size'" in refused(data, tmp_path, "--batch-size", "0")
    told = refused(data, tmp_path, "--batch-size", "15", preset="robust")
    assert told == "error: A batch of preset robust has 16 pictures or more, not 15."


def test_a_loss_that_is_no_number_ends_the_training_and_says_so_again(data: Path, tmp_path: Path) -> None:
    for _ in range(2):
        told = refused(data, tmp_path, "--learning-rate", "1e39")
        assert told == "error: In epoch 1 the loss is no longer a number; try a smaller --learning-rate."
    assert bundle.available(tmp_path / "artifacts") == []


@pytest.mark.parametrize("size", [16, 320, 1000])
def test_batches_of_another_size_are_the_same_mixture(parts: Split, size: int) -> None:
    recipe = recipes.load("robust", batch_size=size)
    assert isinstance(recipe, Robust)
    pictures, _, weights = AugmentedBatches(parts, None, replace(recipe, pool=200))[0]
    assert len(pictures) == size
    assert (weights == RECIPE.stranger_weight).mean() == pytest.approx(RECIPE.strangers / RECIPE.batch_size, abs=0.03)
    assert recipe.untouched / size == pytest.approx(RECIPE.untouched / RECIPE.batch_size, abs=0.03)


def test_what_a_preset_has_of_its_own_is_no_override() -> None:
    assert recipes.load("robust") == RECIPE
    assert recipes.load("robust", RECIPE.max_epochs, RECIPE.steps, RECIPE.batch_size, 2e-3) == RECIPE
    assert recipes.load("robust", epochs=1, batch_size=64).overrides() == {"--epochs": 1, "--batch-size": 64}


@pytest.mark.parametrize("preset", ["article", "robust"])
def test_what_was_given_is_in_bundle_card_and_report_and_the_cards_command_repeats_it(
    data: Path, tmp_path: Path, preset: str
) -> None:
    artifacts = train(data, tmp_path, *CHANGED, preset=preset)
    [published] = bundle.available(artifacts)
    training, given = published.manifest.training, " ".join(CHANGED)
    assert (training["batch_size"], training["learning_rate"]) == (16, 0.01)
    assert training["overrides"] == {"--epochs": 1, "--steps": 2, "--batch-size": 16, "--learning-rate": 0.01}
    card = published.path(bundle.CARD).read_text()
    assert f"The preset was changed: `{given}`." in card
    [report] = (tmp_path / "runs").glob("*/report.html")
    assert f"<code>{given}</code> in place of the preset's own" in report.read_text()
    command = card.split("`python -m training ")[1].split("`")[0].split()
    places: list[str | Path] = [
        place for place in options(data, tmp_path, "article") if place not in ("--preset", "article")
    ]
    done = run("training", *command, *places)
    assert done.stdout.startswith("nothing to do") or "\nnothing to do" in done.stdout


@pytest.mark.parametrize("size", ["1", "1000"])
def test_a_batch_may_be_one_picture_or_more_than_there_are(data: Path, tmp_path: Path, size: str) -> None:
    artifacts = train(data, tmp_path, "--batch-size", size, "--epochs", "1")
    [published] = bundle.available(artifacts)
    assert published.manifest.training["batch_size"] == int(size)
