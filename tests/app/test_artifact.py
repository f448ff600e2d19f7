"""A bundle whose model is not what Keras writes for layers we know, or that was altered, is never opened."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from keras import layers

from app.model import archive, bundle
from app.model.bundle import MODEL, BundleError
from tests.app.spoilt_models import BAD, lambda_, model, sealed
from tests.running import ROOT, run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on saving

COMMITTED = sorted(path.parent.name for path in (ROOT / "model_artifacts").glob("[!.]*/bundle.json") if path.is_file())


@pytest.fixture
def folder(artifacts: Path, tmp_path: Path) -> Path:
    """A sound bundle of this test's own."""
    return Path(shutil.copytree((artifacts / "current").resolve(), tmp_path / "bundle"))


@pytest.mark.parametrize("case", BAD)
def test_a_model_that_is_not_of_known_layers_and_honest_sizes_is_refused(case: str, tmp_path: Path) -> None:
    spoil, words = BAD[case]
    opened = sealed(tmp_path, spoil)
    with pytest.raises(BundleError, match=words) as refused:
        archive.inspect(opened)
    assert str(refused.value).startswith("The model of toy-")
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 250


def test_a_model_of_known_layers_is_let_through(tmp_path: Path) -> None:
    more = (layers.ReLU(), layers.Dropout(0.5), layers.MaxPooling2D(), layers.Conv2D(4, 3, groups=1, use_bias=False))
    archive.inspect(sealed(tmp_path, lambda folder: model(*more).save(folder / MODEL)))


@pytest.mark.parametrize("name", COMMITTED)
def test_every_bundle_of_the_repository_is_let_through(name: str) -> None:
    archive.inspect(bundle.read(ROOT / "model_artifacts" / name))


@pytest.mark.parametrize("command", ["check", "serve"])
def test_the_command_line_refuses_such_a_model_in_one_line(command: str, tmp_path: Path) -> None:
    folder = sealed(tmp_path, lambda_).folder
    options = ["serve", "--port", "0", "--bundle"] if command == "serve" else ["check"]
    done = run("app", *options, folder)
    assert done.returncode == 3
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "cannot be trusted" in sentence
    assert "Traceback" not in done.stderr


def test_one_altered_byte_of_any_listed_file_is_refused_in_words(folder: Path) -> None:
    listed = bundle.read(folder).manifest.files
    assert len(listed) > 5
    random = np.random.default_rng(0)
    for name in listed:
        content = (folder / name).read_bytes()
        for place in (0, len(content) - 1, *random.integers(len(content), size=6)):
            altered = bytearray(content)
            altered[place] ^= 1 << int(random.integers(8))
            (folder / name).write_bytes(altered)
            with pytest.raises(BundleError, match=f"cannot be trusted: {name} is missing or was altered"):
                bundle.read(folder)
        (folder / name).write_bytes(content)
    bundle.read(folder)


def test_a_listed_file_that_is_a_link_out_of_the_bundle_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / MODEL).rename(tmp_path / "elsewhere.keras")
    (folder / MODEL).symlink_to(tmp_path / "elsewhere.keras")
    with pytest.raises(BundleError, match=r"model\.keras is a link out of it"):
        bundle.read(folder)


def test_a_link_within_the_bundle_is_as_good_as_a_file(folder: Path) -> None:
    (folder / MODEL).rename(folder / ".data.keras")  # Kubernetes mounts files so
    (folder / MODEL).symlink_to(".data.keras")
    bundle.read(folder)
