"""`python -m app`: help, wrong use, exit codes and completion, on real processes and a real shell."""

import os
import re
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
        (["bundles", "--root", "nowhere"], ["'--root'", "'nowhere' does not exist."]),
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
