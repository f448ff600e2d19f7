"""python -m training from start to end: what it publishes, and what an interruption costs (nothing)."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from app.model import bundle
from tests.conftest import options
from tests.running import run, start, wait_until
from training import recipes
from training.phantoms import write_data_set
from training.recipes import INPUTS
from training.recipes.article import RECIPE

CHARTS = {f"{name}.png" for name in ("curves", "confusion", "classes", "changes", "reliability", "strangeness")}


def weights(artifacts: Path) -> list[np.ndarray]:
    [published] = bundle.available(artifacts)
    model = keras.models.load_model(published.path(bundle.MODEL))
    return list(model.get_weights())


@pytest.mark.parametrize("name", recipes.INPUTS)
def test_a_recipe_is_what_its_line_says(name: str) -> None:
    recipe = recipes.load(name)
    assert (recipe.name, recipe.input) == (name, recipes.INPUTS[name])


def test_the_article_network_is_the_published_one() -> None:
    model = RECIPE.network(classes=6, steps_per_epoch=1)
    assert model.count_params() == 157_926
    activations = [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]
    assert activations == ["relu", "linear", "relu", "softmax"]


def test_a_run_publishes_a_bundle_with_everything_it_promises(artifacts: Path) -> None:
    published = bundle.read(artifacts / "current")
    manifest = published.manifest
    charts = {f"charts/{name}" for name in CHARTS}
    assert set(manifest.files) >= {bundle.MODEL, bundle.COMPILED, bundle.CARD, "manifest.csv.gz", *charts}
    assert manifest.training["preset"] == "article"
    assert manifest.training["parameters"] == 157_539  # three classes
    assert manifest.data["split"] == "blocked"
    assert manifest.metrics["test_accuracy"].value >= 0.9
    assert manifest.metrics["test_accuracy"].low < manifest.metrics["test_accuracy"].value
    assert len(manifest.golden) >= 3
    assert published.folder.name == published.title


def test_the_run_folder_holds_the_report(artifacts: Path) -> None:
    [folder] = (artifacts.parent / "runs").iterdir()
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert names >= {"report.html", "samples.png", "history.csv", "manifest.csv", "best.keras", "tensorboard"}
    assert names >= {f"charts/{name}" for name in CHARTS}
    header = (folder / "history.csv").read_text().splitlines()[0].split(",")
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(header)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough phantoms that a run can be interrupted between its epochs."""
    root = tmp_path_factory.mktemp("larger") / "Phantoms"
    write_data_set(root, ["CXR", "Hand"], count=400, seed=1)
    return root


def epochs_done(runs: Path) -> int:
    return max((int(path.name) for path in runs.glob("*/resume/[0-9]*")), default=0)


def await_epoch(process: subprocess.Popen[bytes], runs: Path, number: int) -> None:
    wait_until(lambda: epochs_done(runs) >= number or process.poll() is not None, seconds=120)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "drawn", "kills"), [("article", "larger", (1, 3)), ("robust", "data", (2,))], ids=["article", "robust"]
)
def test_a_killed_run_ends_where_an_unbroken_one_ends(
    request: pytest.FixtureRequest, tmp_path: Path, preset: str, drawn: str, kills: tuple[int, ...]
) -> None:
    pictures: Path = request.getfixturevalue(drawn)
    whole = run("training", *options(pictures, tmp_path / "whole", preset))
    assert whole.returncode == 0, whole.stderr
    broken = tmp_path / "broken"
    for stop_after in kills:
        process = start("training", *options(pictures, broken, preset), output=tmp_path / "log")
        await_epoch(process, broken / "runs", stop_after)
        process.kill()
        process.wait()
        assert bundle.available(broken / "artifacts") == []
    done = run("training", *options(pictures, broken, preset))
    assert done.returncode == 0, done.stderr
    for one, two in zip(weights(tmp_path / "whole" / "artifacts"), weights(broken / "artifacts"), strict=True):
        assert np.array_equal(one, two)


def test_ctrl_c_stops_after_the_epoch_and_says_how_to_resume(larger: Path, tmp_path: Path) -> None:
    process = start("training", *options(larger, tmp_path), output=tmp_path / "log")
    await_epoch(process, tmp_path / "runs", 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "same command" in (tmp_path / "log").read_text()
    assert epochs_done(tmp_path / "runs") >= 2
    assert run("training", *options(larger, tmp_path)).returncode == 0


def test_a_model_no_better_than_chance_is_published_and_not_made_current(tmp_path: Path) -> None:
    write_data_set(tmp_path / "data", ["Hand"], count=60, seed=0)
    for name in ("Foot", "Knee"):
        shutil.copytree(tmp_path / "data" / "Hand", tmp_path / "data" / name)  # nothing tells them apart
    done = run("training", *options(tmp_path / "data", tmp_path), "--epochs", "1", "--steps", "2")
    assert done.returncode == 0, done.stderr
    [published] = bundle.available(tmp_path / "artifacts")
    assert bundle.current(tmp_path / "artifacts") is None
    assert (published.manifest.training["max_epochs"], published.manifest.training["steps"]) == (1, 2)
    assert published.manifest.name == "data"
    assert all(f"decoding data at {side}×{side} " in done.stdout for side in (32, 64))
    assert "no better than chance" in done.stdout
    assert "about, for the golden pictures: Foot, " in done.stdout
    [command] = re.findall(r"\./bodyregion (use .*) takes it", done.stdout)
    assert run("app", *command.split()).returncode == 0
    assert bundle.current(tmp_path / "artifacts") == published.folder


def test_a_finished_command_says_so_and_another_outcome_is_made_of_the_same_weights(
    data: Path, artifacts: Path, elsewhere: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(artifacts.parent, tmp_path / "again", symlinks=True))
    [first] = bundle.available(base / "artifacts")
    [folder] = (base / "runs").iterdir()

    def again(*more: str | Path) -> str:
        done = run("training", *options(data, base), *more)
        assert done.returncode == 0, done.stderr
        assert "Epoch" not in done.stdout
        assert [*(base / "runs").iterdir()] == [folder]
        return done.stdout

    told = again()
    assert f"nothing to do: this training is finished; to train anew, remove {folder} " in told
    assert all(str(path) in told for path in (first.folder, folder))
    assert [one.title for one in bundle.available(base / "artifacts")] == [first.title]

    assert "now current" in again("--credit", "somebody else", "--external", elsewhere)
    _, second = bundle.available(base / "artifacts")
    assert second.manifest.data == first.manifest.data | {"source": "somebody else"}
    assert second.manifest.metrics.items() > first.manifest.metrics.items()
    assert all(told in (folder / "report.html").read_text() for told in (second.title, "charts/elsewhere.png"))

    shutil.rmtree(second.folder)
    assert "now current" in again("--credit", "somebody else")
    assert "elsewhere" not in (folder / "report.html").read_text()
    assert not [*folder.rglob("*elsewhere.png")]


def test_a_folder_that_cannot_be_written_is_one_sentence_and_harms_nothing(data: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "runs"
    blocked.write_text("a file where a folder should be")
    done = run("training", *options(data, tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert blocked.read_text() == "a file where a folder should be"


def test_a_full_disk_is_one_sentence_and_what_was_published_stays(data: Path, artifacts: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in artifacts.iterdir())
    script = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
        "sys.argv[0] = 'training'; runpy.run_module('training', run_name='__main__')"
    )
    (tmp_path / "limited.py").write_text(script)
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    done = run("limited", *options(data, tmp_path), "--artifacts", artifacts, PYTHONPATH=path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert sorted(path.name for path in artifacts.iterdir()) == before


def test_an_unknown_preset_is_one_sentence(data: Path, tmp_path: Path) -> None:
    done = run("training", *options(data, tmp_path, "magic"))
    assert done.returncode == 2
    assert done.stderr == f"error: There is no preset magic; there is {', '.join(INPUTS)}.\n"
