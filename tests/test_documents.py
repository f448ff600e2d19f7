"""What the documents say can be done can be done: every command in them is run, here or where this file says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.dicoms import dicom
from tests.running import ROOT, Server, run

PLACES = ("*.md", "training/*.md", "tests/*/*.md", "deploy/**/*.md")
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for place in PLACES
    for path in sorted(ROOT.glob(place))
    if path.name != "CHANGELOG.md"  # which tells of what was
}
ADDRESS = "http://127.0.0.1:8000"

HERE = {  # run in a folder with some pictures and the committed bundles, with what is then to be read
    f"curl -F file=@examples/Hand.png {ADDRESS}/predict": '"label":"Hand"',
    f"curl --data-binary @examples/Hand.png -H 'Content-Type: image/png' {ADDRESS}/predict": '"label":"Hand"',
    "./bodyregion classify archive/ 'more/*.zip' --out table.csv --report page.html": r"files +3\b",
    "./bodyregion classify archive/ --out table.csv --series series.csv --slices 8": r"series.csv, 1 series",
    "./bodyregion bundles": "mednist-0d35cfaf2f4e",
    "./bodyregion check": "(?s)Not a medical device.* is sound",
    "./bodyregion use b4cb7daf37d5": "mednist-b4cb7daf37d5 is now current.",
    "make help": "make serve ",
}
SERVE = "tests/app/test_operations.py: test_make_serve_prints_its_address_when_ready"
EVALUATE = "tests/training/test_robust.py: test_evaluate_prints_every_figure_beside_the_article"
ROBUST = "tests/training/test_robust.py: test_a_robust_bundle_publishes_every_figure_and_a_card_that_names_the_worst"
ELSEWHERE = {  # run by another, with other pictures and folders
    "./bodyregion follow http://localhost:8042": "tests/follow/test_answers.py: "
    "test_series_that_come_over_rest_and_over_the_network_are_answered_within_five_seconds",
    "make serve": SERVE,
    "make serve PORT=8000": SERVE,
    "make test": ".ci/run: make test",
    "make test-slow": ".ci/run: make test-slow",
    "make check": ".ci/run: make check",
    "make train": ROBUST,
    'make train ARGS="--seed 1 --external folder"': ROBUST,
    'make train ARGS="--seed 1"': "tests/faults/test_training_faults.py: test_two_trainings_at_once_both_publish",
    'make train ARGS="--preset article"': "tests/training/test_training.py: "
    "test_a_run_publishes_a_bundle_with_everything_it_promises",
    'make train ARGS="--data my_pictures"': "tests/training/test_source.py: test_a_download_trains_like_a_folder",
    'make train ARGS="--extra more_pictures"': "tests/training/test_robust.py: "
    "test_extra_pictures_join_their_class_a_new_class_or_the_strangers",
    'make train ARGS="split --out laid_out"': "tests/training/test_split.py: "
    "test_the_command_lays_out_three_folders_that_share_nothing",
    'make train ARGS="evaluate --external folder"': EVALUATE,
    "make train ARGS=robustness": EVALUATE,
    "make train ARGS=series": "tests/training/test_series.py: "
    "test_the_command_prints_how_the_committed_bundle_judges_series",
    "kubectl set image deployment/bodyregion bodyregion=registry.example/bodyregion:TAG": "tests/deploy/test_kubernetes.py: "
    "test_the_commands_for_another_bundle_change_the_manifest",
}
CLUSTER = "needs a cluster; tests/deploy/test_kubernetes.py builds and judges what it would be given"
BY_HAND = {  # before a release, and why not by a test
    "docker compose --profile monitoring up --detach": "needs a container engine; tests/deploy judges all it mounts",
    "docker compose up --detach follower": "the same; tests/deploy/test_orthanc.py judges it and runs the router",
    "install -d -m 700 deploy/secrets": "makes the folder for it",
    "openssl rand -hex 24 | install -m 644 /dev/stdin deploy/secrets/orthanc": "makes a password for it",
    "kubectl apply -k deploy/kubernetes": CLUSTER,
    "kubectl rollout status deployment/bodyregion": CLUSTER,
    "kubectl rollout undo deployment/bodyregion": CLUSTER,
    "make test-quick": "is part of make test",
    "make fix": "changes files",
    "make lock": "changes files, and asks the package index",
    "make audit": "asks a database of vulnerabilities",
    "make sbom": "installs tools from the package index",
    "make image-check": "needs root and downloads a Debian",
    "make bench": "takes an hour of a quiet machine",
}


def commands(text: str) -> list[str]:
    """The lines of the fenced shell blocks, without what is said about them."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    return [line for line in (re.sub(r"(^|\s+)#\s.*", "", line).strip() for line in lines) if line]


COMMANDS = {command for text in DOCUMENTS.values() for command in commands(text)}


def test_every_command_is_run_by_somebody() -> None:
    assert {*HERE, *ELSEWHERE, *BY_HAND} == COMMANDS


@pytest.mark.parametrize("where", sorted({*ELSEWHERE.values()}))
def test_whoever_is_said_to_run_a_command_is_there(where: str) -> None:
    file, name = where.split(": ")
    assert re.search(rf"^(def )?{name}\b", (ROOT / file).read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after `make serve`, and pictures around."""
    root = tmp_path_factory.mktemp("sandbox")
    for folder in ("model_artifacts", "examples"):
        shutil.copytree(ROOT / folder, root / folder, symlinks=True)
    for file in ("Makefile", "bodyregion"):
        shutil.copy(ROOT / file, root)
    (root / "app").symlink_to(ROOT / "app")
    (root / ".venv").symlink_to(sys.prefix)
    for folder in ("archive", "more"):
        (root / folder).mkdir()
    shutil.copy(root / "examples" / "Hand.png", root / "archive")
    (root / "archive" / "IM1").write_bytes(dicom(np.zeros((64, 64), np.uint8), SeriesInstanceUID="1.2.3"))
    with zipfile.ZipFile(root / "more" / "older.zip", "w") as packed:
        packed.write(root / "examples" / "HeadCT.png", "1/head.png")
    return root


@pytest.mark.parametrize("command", HERE)
def test_a_command_does_what_is_said(command: str, sandbox: Path, committed: Server) -> None:
    if command.startswith("curl") and not shutil.which("curl"):
        pytest.skip("there is no curl here")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command.replace(ADDRESS, committed.address)],
        cwd=sandbox,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(HERE[command], done.stdout)


def test_the_answer_in_the_readme_is_the_one_that_is_given(asking: httpx2.Client) -> None:
    [printed] = re.findall(r"^```json\n(.*?)^```", DOCUMENTS["README.md"], re.MULTILINE | re.DOTALL)
    told = json.loads(printed)
    given = asking.post("/predict", content=(ROOT / "examples" / "Hand.png").read_bytes()).json()
    assert given.keys() == told.keys()
    assert {name: given[name] for name in ("label", "accepted", "model")} == {
        name: told[name] for name in ("label", "accepted", "model")
    }
    assert given["probabilities"] == pytest.approx(told["probabilities"], abs=1e-3)
    assert given["ood_score"] == pytest.approx(told["ood_score"], abs=1e-3)


@pytest.mark.parametrize("command", sorted(command for command in COMMANDS if command.startswith("make ")))
def test_make_and_training_know_every_word_of_a_command(command: str) -> None:
    words = shlex.split(command)[1:]
    ours = {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS")}  # under make test
    shown = subprocess.run(["make", "-n", *words], cwd=ROOT, env=ours, capture_output=True, text=True, check=True)
    for line in shown.stdout.splitlines():
        if " -m training" in line:
            done = run(*shlex.split(line)[2:], "--help")
            assert done.returncode == 0, done.stderr


def test_every_target_is_explained_and_every_target_named_is_there() -> None:
    phony = set(re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split())
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make (\S+) +\S", shown, re.MULTILINE)) == phony
    spans = [span for text in DOCUMENTS.values() for span in re.findall(r"`(make [^`]+)`", text)]
    named = {word for span in [*spans, *COMMANDS] if span.startswith("make ") for word in shlex.split(span)[1:]}
    assert {word for word in named if "=" not in word} <= phony


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_points_at_is_there(document: str) -> None:
    text = DOCUMENTS[document]
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []
    paths = re.findall(r"`((?:app|training|tests|deploy)/[\w./-]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = re.findall(r"python -m ([\w.]*\w)", text)
    assert [module for module in modules if not find_spec(module)] == []


FILES = [path for root in ("app", "model_artifacts", "tests", "training") for path in (ROOT / root).rglob("*")]
CODE = "".join(path.read_text() for path in [ROOT / "pyproject.toml", *FILES] if path.suffix in {".py", ".toml"})
NAMES = {name.removesuffix("()") for name in re.findall(r"`([\w./-]+(?:\(\))?)`", DOCUMENTS["CONTRIBUTING.md"])}
ELSEWHERE_MADE = {".venv/bin/python", "runs/", "MedNIST.tar.gz"}


@pytest.mark.parametrize("name", sorted(NAMES - ELSEWHERE_MADE))
def test_every_file_module_and_word_of_the_code_that_contributing_names_is_there(name: str) -> None:
    if re.search(r"[./]", name):
        paths = ROOT / name, ROOT / name.replace(".", "/"), ROOT / f"{name.replace('.', '/')}.py"
        assert any(path.exists() for path in paths) or name in {path.name for path in FILES}
    else:
        assert re.search(rf'^ *(def |class )?{name}\b.*[(:=]|"{name}\b', CODE, re.MULTILINE)


def test_the_readme_stays_within_150_lines() -> None:
    assert DOCUMENTS["README.md"].count("\n") <= 150


def test_the_table_of_the_field_counts_what_is_there() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/field"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    counts = Counter(Path(line.partition("::")[0]).name for line in found.stdout.splitlines() if "::" in line)
    rows = re.findall(r"^\| (\d+) \| \d+ \| `(\w+\.py)`", DOCUMENTS["tests/field/README.md"], re.MULTILINE)
    assert counts == {name: int(count) for count, name in rows}
