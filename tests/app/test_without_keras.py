"""Only the compiler needs Keras: the other processes never import it, and serve where there is none."""

import os
from pathlib import Path
from typing import Any

import pytest

from app.model import bundle
from app.model.bundle import COMPILED
from tests.bundles import another, point
from tests.running import ROOT, run, serving, wait_until

HIDING = """
import sys
from importlib.machinery import PathFinder

class Finder:
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        return %s if name in {"keras", "tensorflow"} else spec

class Refuse:
    def create_module(spec):
        raise AssertionError(f"{spec.name} in {sys.orig_argv}")
    def exec_module(module):
        pass

def refused(spec):
    if "app.model.compiler" not in sys.orig_argv:
        spec.loader = Refuse
    return spec

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""


@pytest.fixture
def no_keras(tmp_path: Path) -> dict[str, str]:
    """An environment for processes that have no Keras, and nothing in their cache."""
    return {"PYTHONPATH": hook(tmp_path / "hook", "None"), "BODYREGION_CACHE": str(tmp_path / "cache")}


def hook(folder: Path, found: str) -> str:
    """A PYTHONPATH that makes `found` of what is found of Keras."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDING % found)
    return f"{folder}{os.pathsep}{ROOT}"


def test_no_other_process_of_the_service_imports_keras(bare: Path, tmp_path: Path, hand: bytes) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "hand.png").write_bytes(hand)
    alone: Any = {"PYTHONPATH": hook(tmp_path / "hook", "refused(spec)"), "BODYREGION_CACHE": str(tmp_path / "cache")}
    root = bare.parent
    with serving(root / "current", tmp_path / "log", BODYREGION_WORKERS="2", **alone) as server:
        with server.client() as client:
            assert client.post("/predict", files={"file": hand}).status_code == 200
            after = another(root)
            assert run("app", "use", after.manifest.version, "--root", root, **alone).returncode == 0
            wait_until(lambda: client.get("/model").json()["version"] == after.manifest.version)
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in server.family()]
    assert len(maps) == 5  # with a parent, and a decoder each
    assert not any("tensorflow" in text for text in maps)
    classify: list[str | Path] = ["classify", tmp_path / "pictures", "--out", tmp_path / "t.csv", "--bundle", bare]
    for command in (["check", bare], classify):
        done = run("app", *command, **alone)
        assert done.returncode == 0, done.stderr


def test_without_keras_a_bundle_is_sound_by_what_it_carries(root: Path, no_keras: Any) -> None:
    checked = run("app", "check", root / "current", **no_keras)
    assert checked.returncode == 0
    assert "Keras is not installed here" in checked.stdout
    done = run("app", "compile", root / "current", **no_keras)
    assert (done.returncode, done.stderr) == (0, "")
    assert "carries its compiled form" in done.stdout


def test_without_keras_a_bundle_that_carries_nothing_leaves_the_one_that_does_serving(
    root: Path, tmp_path: Path, no_keras: Any, hand: bytes
) -> None:
    with serving(root / "current", tmp_path / "log", **no_keras) as server, server.client() as client:
        before = client.post("/predict", files={"file": hand}).json()
        after = another(root)
        after.path(COMPILED).unlink()
        point(root / "current", bundle.seal(after.folder, after.manifest).folder)
        wait_until(lambda: any(line["event"] == "bundle refused" for line in server.logs()))
        [line] = [line for line in server.logs() if line["event"] == "bundle refused"]
        assert "`bodyregion compile`" in line["reason"]
        assert before["label"] == "Hand"
        assert client.post("/predict", files={"file": hand}).json() == before


@pytest.mark.parametrize("command", [["serve", "--port", "0", "--bundle"], ["check"], ["compile"]])
def test_without_keras_a_bundle_that_carries_nothing_is_refused_in_words(
    bare: Path, no_keras: Any, command: list[str]
) -> None:
    done = run("app", *command, bare, **no_keras)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: The bundle {bundle.read(bare).title} carries no compiled model")
    assert "`bodyregion compile`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_compiled_ahead_of_time_a_bundle_serves_without_keras(
    bare: Path, tmp_path: Path, no_keras: Any, hand: bytes
) -> None:
    done = run("app", "compile", bare, BODYREGION_CACHE=no_keras["BODYREGION_CACHE"])
    assert (done.returncode, done.stdout) == (0, f"{bundle.read(bare).title} is compiled.\n")
    with serving(bare, tmp_path / "log", **no_keras) as server, server.client() as client:
        assert client.post("/predict", files={"file": hand}).json()["label"] == "Hand"


def test_a_carried_form_that_is_none_is_refused_without_keras(root: Path, no_keras: Any) -> None:
    opened = bundle.read(root / "current")
    opened.path(COMPILED).write_bytes(b"TFL3" * 1000)
    bundle.seal(opened.folder, opened.manifest)
    done = run("app", "check", root / "current", **no_keras)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "cannot be opened" in done.stderr
