"""The checkpoint is compiled by a process of its own, kept in a cache or carried along, and answers as Keras does."""

import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
import pytest

from app.model import bundle, checkpoint
from app.model.bundle import COMPILED, MODEL, BundleError
from tests.bundles import classifier, compiled, flip
from tests.running import ROOT, run


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


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir())


@pytest.mark.parametrize("name", ["mednist-0d35cfaf2f4e", "mednist-88a0a3eb5d45", "mednist-b4cb7daf37d5"])
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


@pytest.mark.parametrize("damage", [flip, lambda entry: os.truncate(entry, 1000)], ids=["flipped", "cut"])
def test_what_was_damaged_in_the_cache_is_compiled_anew(bare: Path, kept: Path, damage: Callable[[Path], None]) -> None:
    [entry] = entries(kept)
    content = entry.read_bytes()
    damage(entry)
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


def test_one_compiles_for_all_workers(bare: Path, tmp_path: Path) -> None:
    seen = set()
    with ThreadPoolExecutor(4) as workers:
        found = [workers.submit(checkpoint.compiled, bundle.read(bare), tmp_path / "cache") for _ in range(4)]
        while wait(found, timeout=0.05).not_done:
            seen.add(compilers())
    assert max(seen) == 1
    assert len({future.result().compiled for future in found}) == 1


def compilers() -> int:
    """Children of this process that compile."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [pid for path in children for pid in path.read_text().split()]
    lines = [Path(f"/proc/{pid}/cmdline") for pid in pids]
    return sum(b"app.model.compiler" in line.read_bytes() for line in lines if line.exists())


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
