"""A bundle whose model is not what Keras writes for layers we know, or that was altered, is never opened."""

import re
from pathlib import Path

import numpy as np
import pytest

from app.model import bundle, checkpoint
from app.model.bundle import MODEL, BundleError
from tests.app.spoilt_models import BAD, WORSE, lambda_, sealed
from tests.running import run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on saving


@pytest.fixture
def folder(root: Path) -> Path:
    """A sound bundle of this test's own."""
    return root / "current"


@pytest.mark.parametrize("case", BAD)
def test_a_model_that_is_not_of_known_layers_is_refused_in_words(case: str, tmp_path: Path) -> None:
    spoil, words = BAD[case]
    opened = sealed(tmp_path, spoil)
    with pytest.raises(BundleError, match=words) as refused:
        checkpoint.compiled(opened, cache=None)
    assert str(refused.value).startswith("The model of toy-")
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 250


@pytest.mark.slow
@pytest.mark.parametrize("case", WORSE)
def test_a_model_that_lies_about_sizes_or_lies_elsewhere_is_refused_in_words(case: str, tmp_path: Path) -> None:
    opened = sealed(tmp_path, WORSE[case])
    with pytest.raises(BundleError, match=r"^(Keras cannot open t|T)he model of toy-.*\.$"):
        checkpoint.compiled(opened, cache=None)


@pytest.mark.parametrize("command", ["check", "serve"])
def test_the_command_line_refuses_such_a_model_in_one_line(command: str, tmp_path: Path) -> None:
    folder = sealed(tmp_path, lambda_).folder
    options = ["serve", "--port", "0", "--bundle"] if command == "serve" else ["check"]
    done = run("app", *options, folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(r"error: The model of toy-\w+ cannot be trusted: .*Lambda.*\.\n", done.stderr)


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
