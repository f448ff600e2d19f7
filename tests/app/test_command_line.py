"""`python -m app`: help, wrong use, exit codes and completion, on real processes and a real shell."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from app.model import bundle
from tests.bundles import another
from tests.running import ROOT, run, start, wait_until

# Each command as asked about the bundles in a folder, or about the one that lies there as `one`.
COMMANDS = {
    "serve": ["serve", "--port", "0", "--bundle", "one"],
    "classify": ["classify", ".", "--out", "table.csv", "--bundle", "one"],
    "follow": ["follow", "http://127.0.0.1:1", "--bundle", "one"],
    "check": ["check", "one"],
    "compile": ["compile", "one"],
    "bundles": ["bundles", "--root", "."],
    "use": ["use", "0000", "--root", "."],
}
OUTSIDE = {"PYTHONPATH": str(ROOT)}


def test_help_tells_every_command_in_a_sentence_and_every_exit_code() -> None:
    done = run("app", "--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^│ {name} +[A-Z].{{30,}}", done.stdout, re.MULTILINE), name
    for told in ("0 done", "2 wrong use or data", "3 the bundle is missing or cannot be trusted", "130 interrupted"):
        assert told in done.stdout
    assert "BODYREGION_…" in done.stdout
    assert run("app").stdout == done.stdout
    # Completion is the installed command's only: here it would complete what follows every other python as well.
    assert "--install-completion" not in done.stdout + run("training", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sevre"], ["sevre", "Did you mean 'serve'?"]),
        (["use"], ["argument", "'version'"]),
        (["check", "one", "two"], ["extra argument", "two"]),
        (["serve", "--port", "high"], ["--port: must be a whole number from 0 to 65535."]),
        (["serve", "--port", "99999"], ["--port: must be a whole number from 0 to 65535."]),
        (["serve", "--workers", "0"], ["--workers: must be a whole number of at least 1."]),
        (["classify", ".", "--out", "t.csv", "--workers", "0"], ["'--workers'", "1"]),
        (["classify", ".", "--out", "t.xls"], ["t.xls is no .csv, .jsonl or .parquet file."]),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(arguments: list[str], words: list[str]) -> None:
    done = run("app", *arguments)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: .*{'.*'.join(map(re.escape, words))}.*\n", done.stderr)
    assert not done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_bundle_is_one_sentence_and_code_3(name: str, tmp_path: Path) -> None:
    done = run("app", *COMMANDS[name], cwd=tmp_path, **OUTSIDE)
    assert done.returncode == 3
    assert done.stderr.startswith("error: There is no bundle ")
    assert done.stderr.count("\n") == 1


NAME = "name one with --bundle or BODYREGION_BUNDLE."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--port", "0"], f"at model_artifacts/current; {NAME}"),
        (["classify", ".", "--out", "t.csv"], f"at model_artifacts/current; {NAME}"),
        (["classify", ".", "--out", "t.csv", "--bundle", "one"], f"at one; {NAME}"),
        (["check"], "at model_artifacts/current; name the folder of one."),
        (["compile"], "at model_artifacts/current; name the folder of one."),
        (["bundles"], "under model_artifacts; name the folder that holds them with --root."),
        (["use", "0000"], "under model_artifacts; name the folder that holds them with --root."),
        (["bundles", "--root", "nowhere"], "under nowhere; name the folder that holds them with --root."),
    ],
)
def test_installed_where_there_are_no_bundles_the_error_says_how_to_name_one(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "site" / "app", ignore=shutil.ignore_patterns("__pycache__"))
    done = run("app", *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert (done.returncode, done.stderr) == (3, f"error: There is no bundle {words}\n")


def test_classify_takes_the_bundle_that_serve_would(tmp_path: Path) -> None:
    done = run("app", "classify", ".", "--out", tmp_path / "t.csv", BODYREGION_BUNDLE="mine")
    assert done.stderr == f"error: There is no bundle at mine; {NAME}\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose environment is not made yet, but for a Python that knows all packages."""
    root = tmp_path / "clone"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "bodyregion", root)
    for name in ("app", "model_artifacts"):
        (root / name).symlink_to(ROOT / name)
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_script_works_from_any_folder_and_through_a_link(clone: Path, tmp_path: Path) -> None:
    (clone / ".venv" / "serve").touch()
    (tmp_path / "elsewhere" / "app").mkdir(parents=True)  # a package of somebody else's, in the way
    (tmp_path / "elsewhere" / "app" / "__init__.py").write_text("raise SystemExit('not this one')\n")
    (tmp_path / "elsewhere" / "link").symlink_to(clone / "bodyregion")
    for command in ("../clone/bodyregion", "./link", f"PATH={clone}:$PATH bodyregion"):
        done = typed(f"{command} bundles", tmp_path / "elsewhere")
        assert (done.returncode, done.stderr) == (0, "")
        assert "mednist-0d35cfaf2f4e" in done.stdout
    assert "Usage: bodyregion use" in typed("./link use --help", tmp_path / "elsewhere").stdout
    done = typed("./link check ../nothing", tmp_path / "elsewhere")
    assert done.stderr == "error: There is no bundle at ../nothing; name the folder of one.\n"


def test_the_script_says_what_to_do_before_the_environment_is_made(clone: Path, tmp_path: Path) -> None:
    done = typed("clone/bodyregion bundles", tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: .*`make serve` .*`make .venv/serve`.* in {clone} once\.\n", done.stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interruption_is_code_130_and_no_traceback(name: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    manifest = tmp_path / "one" / bundle.MANIFEST
    os.mkfifo(manifest)  # whoever reads it waits
    arguments = [str(tmp_path / word) if word in {"one", "."} else word for word in COMMANDS[name]]
    process = start("app", *arguments, output=tmp_path / "log")
    writing: list[int] = []

    def somebody_reads() -> bool:
        try:
            writing.append(os.open(manifest, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            assert process.poll() is None, (tmp_path / "log").read_text()
        return bool(writing)

    wait_until(somebody_reads)
    time.sleep(0.2)  # until it waits: a signal between opening and reading is seen only after the reading
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    os.close(writing[0])
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment in which `bodyregion` is a command, as pip would make it of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [(name, entry)] = project["scripts"].items()
    module, function = entry.split(":")
    script = tmp_path / "bin" / name
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    script.chmod(0o755)
    return os.environ | OUTSIDE | {"PATH": f"{script.parent}:{os.environ['PATH']}"}


COMPLETE = """
    eval "$(bodyregion --show-completion)"
    complete() {  # what bash offers for the last of the words
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _bodyregion_completion bodyregion
        echo "${COMPREPLY[@]}"
    }
    complete bodyregion s
    complete bodyregion use ''
    cd bin
    complete bodyregion use --root "$OLDPWD/model_artifacts" ''
"""


def test_a_shell_completes_commands_and_published_versions(
    installed: dict[str, str], root: Path, tmp_path: Path
) -> None:
    versions = {bundle.read(root / "current").manifest.version, another(root).manifest.version}
    bash = ["bash", "--norc", "-c", COMPLETE]
    done = subprocess.run(bash, env=installed, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert not done.stderr
    command, *used = done.stdout.splitlines()
    assert command == "serve"
    assert [set(line.split()) for line in used] == [versions, versions]
