"""The checkpoint is compiled by a process of its own, kept in a cache or carried along, and answers as Keras does."""

import os
import shutil
import sys
import time
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import keras
import numpy as np
import pytest

from app.model import bundle, checkpoint
from app.model.bundle import COMPILED, MODEL, BundleError
from app.model.classifier import Classifier
from tests.bundles import another, classifier, compiled
from tests.running import COMMITTED, ROOT, Server, run, serving, wait_until
from training import phantoms

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
def root(artifacts: Path, tmp_path: Path) -> Path:
    """A folder of bundles of this test's own; they carry their compiled form."""
    return Path(shutil.copytree(artifacts, tmp_path / "artifacts", symlinks=True))


@pytest.fixture
def bare(root: Path) -> Path:
    """The folder of a bundle without a compiled form, as they were before there was such a thing."""
    whole = bundle.read(root / "current")
    with bundle.staging(root) as folder:
        shutil.copytree(whole.folder, folder, dirs_exist_ok=True)
        (folder / COMPILED).unlink()
        published = bundle.publish(bundle.seal(folder, whole.manifest), root)
    shutil.rmtree(whole.folder)
    return published.folder


@pytest.fixture(scope="module")
def compiled_once(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds what the bundle's checkpoint was compiled to."""
    whole, cache = bundle.read(artifacts / "current"), tmp_path_factory.mktemp("once") / "deep" / "cache"
    files = {name: digest for name, digest in whole.manifest.files.items() if name != COMPILED}
    checkpoint.compiled(replace(whole, manifest=whole.manifest.model_copy(update={"files": files})), cache)
    return cache


@pytest.fixture
def kept(compiled_once: Path, tmp_path: Path) -> Path:
    """A cache like that of this test's own."""
    return Path(shutil.copytree(compiled_once, tmp_path / "cache"))


@pytest.fixture
def no_keras(tmp_path: Path) -> dict[str, str]:
    """An environment for processes that have no Keras, and nothing in their cache."""
    return {"PYTHONPATH": hook(tmp_path / "hook", "None"), "BODYREGION_CACHE": str(tmp_path / "cache")}


def hook(folder: Path, found: str) -> str:
    """A PYTHONPATH that makes `found` of what is found of Keras."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDING % found)
    return f"{folder}{os.pathsep}{ROOT}"


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir())


@pytest.mark.parametrize("name", ["mednist-0d35cfaf2f4e", "mednist-88a0a3eb5d45"])
def test_every_output_is_that_of_keras(name: str) -> None:
    folder = ROOT / "model_artifacts" / name
    judge, model = classifier(folder), keras.models.load_model(folder / MODEL)
    for count in (1, 33, 100):
        inputs = np.random.default_rng(count).integers(0, 256, (count, judge.size, judge.size, 1), np.uint8)
        expected, found = model.predict_on_batch(inputs), asdict(judge(inputs))
        assert {name for name, output in found.items() if output is not None} == expected.keys()
        for output_name, output in expected.items():
            assert np.abs(found[output_name].reshape(output.shape) - output).max() < 1e-4


def test_two_processes_compile_the_same_bytes(root: Path) -> None:
    opened = bundle.read(root / "current")
    fresh = checkpoint.compiled(opened, cache=None)
    assert fresh.compiled == checkpoint.compiled(opened, cache=None).compiled == opened.path(COMPILED).read_bytes()


def test_what_was_compiled_is_kept_for_this_user_alone(bare: Path, kept: Path) -> None:
    [entry] = entries(kept)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert bundle.read(bare).manifest.files[MODEL] in entry.name
    changed = entry.stat().st_mtime_ns
    assert checkpoint.compiled(bundle.read(bare), kept).compiled == entry.read_bytes()[32:]
    assert entry.stat().st_mtime_ns == changed


@pytest.mark.parametrize("way", ["flipped", "cut"])
def test_what_was_damaged_in_the_cache_is_compiled_anew(bare: Path, kept: Path, way: str) -> None:
    [entry] = entries(kept)
    content = entry.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    entry.write_bytes({"flipped": bytes(flipped), "cut": content[:1000]}[way])
    assert checkpoint.compiled(bundle.read(bare), kept).compiled == content[32:]
    assert entries(kept)[0].read_bytes() == content


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o500])
def test_a_folder_that_others_may_enter_or_nobody_write_is_no_cache(bare: Path, kept: Path, mode: int) -> None:
    assert checkpoint.keeps(kept, bundle.read(bare))
    kept.chmod(mode)
    assert not checkpoint.keeps(kept, bundle.read(bare))


def test_somebody_elses_folder_is_no_cache(bare: Path, kept: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.chown(kept, 10001, 10001)
    [entry] = entries(kept)
    entry.write_bytes(sha256(b"evil").digest() + b"evil")
    assert checkpoint.compiled(bundle.read(bare), kept).compiled != b"evil"
    assert entry.read_bytes().endswith(b"evil")


def test_a_cache_that_cannot_be_made_costs_time_only(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert checkpoint.compiled(bundle.read(bare), tmp_path / "file" / "cache").compiled
    assert checkpoint.compiled(bundle.read(bare), None).compiled


def test_one_compiles_for_all_workers(bare: Path, tmp_path: Path) -> None:
    found = []

    def work() -> None:
        found.append(checkpoint.compiled(bundle.read(bare), tmp_path / "cache").compiled)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, compilers())
        threads[0].join(0.05)
        if not threads[0].is_alive():
            threads.append(threads.pop(0))
    assert most == 1
    assert len(set(found)) == 1
    assert len(found) == 4


def compilers() -> int:
    """Children of this process that compile."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [pid for path in children for pid in path.read_text().split()]
    lines = [Path(f"/proc/{pid}/cmdline") for pid in pids]
    return sum(b"app.model.compiler" in line.read_bytes() for line in lines if line.exists())


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


def test_without_keras_a_bundle_serves_by_what_it_carries(
    root: Path, tmp_path: Path, no_keras: Any, hand: bytes
) -> None:
    with serving(root / "current", tmp_path / "log", **no_keras) as server, server.client() as client:
        assert client.post("/predict", files={"file": hand}).json()["label"] == "Hand"
    checked = run("app", "check", root / "current", **no_keras)
    assert checked.returncode == 0
    assert "Keras is not installed here" in checked.stdout


@pytest.mark.parametrize("command", [["serve", "--port", "0", "--bundle"], ["check"], ["compile"]])
def test_without_keras_a_bundle_that_carries_nothing_is_refused_in_words(
    bare: Path, no_keras: Any, command: list[str]
) -> None:
    done = run("app", *command, bare, **no_keras)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: The bundle {bundle.read(bare).title} carries no compiled model")
    assert "python -m app compile" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_keras_such_a_bundle_leaves_the_old_one_serving(root: Path, tmp_path: Path, no_keras: Any) -> None:
    with serving(root / "current", tmp_path / "log", **no_keras) as server, server.client() as client:
        before = client.get("/model").json()["version"]
        after = another(root)
        after.path(COMPILED).unlink()
        resealed = bundle.seal(after.folder, after.manifest)
        (root / "next").symlink_to(resealed.folder.name)
        (root / "next").replace(root / "current")
        wait_until(lambda: any(line["event"] == "bundle refused" for line in server.logs()))
        [line] = [line for line in server.logs() if line["event"] == "bundle refused"]
        assert "python -m app compile" in line["reason"]
        assert client.get("/model").json()["version"] == before


def test_compiled_ahead_of_time_a_bundle_serves_without_keras(
    bare: Path, tmp_path: Path, no_keras: Any, hand: bytes
) -> None:
    done = run("app", "compile", bare, BODYREGION_CACHE=no_keras["BODYREGION_CACHE"])
    assert (done.returncode, done.stdout) == (0, f"{bundle.read(bare).title} is compiled.\n")
    with serving(bare, tmp_path / "log", **no_keras) as server, server.client() as client:
        assert client.post("/predict", files={"file": hand}).json()["label"] == "Hand"


def test_a_cache_that_keeps_nothing_is_said_where_it_was_asked_for(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    done = run("app", "compile", bare, "--cache", tmp_path / "cache")
    assert done.returncode == 2
    assert done.stderr == f"error: The cache {tmp_path / 'cache'} is not a writable folder of this user's alone.\n"


def test_a_carried_form_that_answers_otherwise_is_refused(root: Path) -> None:
    opened = compiled(root / "current")
    model = keras.models.load_model(opened.path(MODEL))
    model.set_weights([weights * 1.01 for weights in model.get_weights()])
    model.export(opened.path(COMPILED), format="litert", verbose=False)
    sealed = bundle.seal(opened.folder, opened.manifest)
    with pytest.raises(BundleError, match=r"The checkpoint of mednist-\w+ and its compiled form differ by"):
        checkpoint.compiled(sealed, cache=None)


def test_a_carried_form_that_is_none_is_refused_without_keras(root: Path, no_keras: Any) -> None:
    opened = bundle.read(root / "current")
    opened.path(COMPILED).write_bytes(b"TFL3" * 1000)
    bundle.seal(opened.folder, opened.manifest)
    done = run("app", "check", root / "current", **no_keras)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "cannot be opened" in done.stderr


def test_without_a_temporary_folder_it_says_so(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(BundleError, match=r"cannot be compiled without a writable temporary folder; set TMPDIR\."):
        checkpoint.compiled(bundle.read(bare), cache=None)


def test_one_that_takes_too_long_is_ended(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "COMPILER_SECONDS", 0.5)
    with pytest.raises(BundleError, match=r"takes more than 0\.5 s to compile\."):
        checkpoint.compiled(bundle.read(bare), cache=None)
    assert compilers() == 0


def test_one_that_dies_is_told_in_words(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BundleError, match=r"brought its compiler down, which may take 2,048 MiB and 60 s\."):
        checkpoint.compiled(bundle.read(bare), cache=None)


@pytest.mark.slow
@pytest.mark.slow  # 30 s, as it says
def test_many_and_lone_pictures_at_once_get_the_answers_they_get_alone(tmp_path: Path) -> None:
    """For 30 seconds: two threads on one interpreter would mix them up, or bring the process down."""
    pictures = [phantoms.png(picture) for picture in phantoms.candidates(seed=3)]
    many = [pictures[number % len(pictures)] for number in range(256)]
    found: list[tuple[int, list[float]]] = []
    with serving(COMMITTED, tmp_path / "log") as server, server.client() as client:
        expected = [probabilities(client.post("/predict", content=picture)) for picture in pictures]
        batch = Thread(target=lambda: found.extend(in_batches(server, many)))
        batch.start()
        while batch.is_alive():
            for number, picture in enumerate(pictures):
                found.append((number, probabilities(client.post("/predict", content=picture))))
        batch.join()
    assert len(found) > 3000
    for number, answer in found:
        assert answer == pytest.approx(expected[number % len(pictures)], abs=1e-5)


def in_batches(server: Server, many: list[bytes]) -> list[tuple[int, list[float]]]:
    found, until = [], time.monotonic() + 30
    with server.client() as client:
        while time.monotonic() < until:
            answer = client.post("/predict/batch", files=[("files", picture) for picture in many])
            found += [(row["index"], list(row["probabilities"].values())) for row in answer.json()["results"]]
    return found


def probabilities(answer: httpx2.Response) -> list[float]:
    return list(answer.json()["probabilities"].values())


def test_a_classifier_and_its_twin_answer_alike() -> None:
    judge = classifier(COMMITTED)
    inputs = np.random.default_rng(0).integers(0, 256, (40, judge.size, judge.size, 1), np.uint8)
    assert isinstance(judge.twin(), Classifier)
    assert np.array_equal(judge(inputs).probabilities, judge.twin()(inputs).probabilities)
