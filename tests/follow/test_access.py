"""How `follow` gets to an Orthanc: addresses, passwords and certificates, and what it says where it does not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.slices import runs
from tests.app.test_terminal import terminal
from tests.follow.archive import Archive, running
from tests.follow.stand_in import standing_in
from tests.running import COMMITTED, ROOT, Server, run


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for 127.0.0.1, signed by itself, in one file."""
    key, signed, both = (tmp_path / name for name in ("key.pem", "certificate.pem", "both.pem"))
    asked = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*asked, *named, "-keyout", key, "-out", signed], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + signed.read_bytes())
    return both


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Archive]:
    """An archive that wants a password."""
    with running(tmp_path / "guarded", AuthenticationEnabled=True, RegisteredUsers={"reader": "secret"}) as started:
        yield started


def test_a_password_comes_from_a_file(guarded: Archive, tmp_path: Path) -> None:
    name = guarded.store(runs(HeadCT=2), "1.2.1")
    guarded.wait_for_stable(1)
    known = "--user", "reader", "--password-file", tmp_path / "password"
    (tmp_path / "password").write_text("secret\n")
    done = guarded.follow_once(*known)
    assert (done.returncode, "secret" in done.stderr) == (0, False)
    assert guarded.answer(name)["label"] == "HeadCT"
    (tmp_path / "password").write_text("wrong\n")
    for arguments in (known, ()):
        done = guarded.follow_once(*arguments)
        sentence = f"error: {guarded.address} refuses this user or password, or what this user may do.\n"
        assert (done.returncode, done.stderr) == (2, sentence)


def test_a_server_is_trusted_by_its_authority(certificate: Path, tmp_path: Path) -> None:
    """A stand-in: Debian's Orthanc 1.10 is brought down by its first request over TLS."""
    with standing_in({}, certificate) as server:
        arguments: list[str | Path] = [
            "app",
            "follow",
            server.address,
            "--once",
            "--bundle",
            COMMITTED,
            "--state",
            tmp_path / "state",
        ]
        assert run(*arguments, "--ca-file", certificate).returncode == 0
        done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {server.address} gives no answer: [SSL: CERTIFICATE_VERIFY_FAILED]")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["127.0.0.1:8042"], "The address of an Orthanc is like http://localhost:8042"),
        (["http://me:secret@127.0.0.1:8042"], "user and password are options of their own."),
        (["http://127.0.0.1:1"], "http://127.0.0.1:1 gives no answer: [Errno 111] Connection refused."),
        (["http://127.0.0.1:1", "--user", "me"], "--user and --password-file belong together."),
        (["http://127.0.0.1:1", "--user", "me", "--password-file", "nowhere"], "There is no password in nowhere"),
        (["http://127.0.0.1:1", "--ca-file", "pyproject.toml"], "There are no certificates in pyproject.toml"),
        (["http://127.0.0.1:1", "--metadata", "7"], "--metadata"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_code_2(arguments: list[str], sentence: str) -> None:
    done = run("app", "follow", *arguments, "--bundle", COMMITTED)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_server_is_no_orthanc(committed: Server) -> None:
    done = run("app", "follow", committed.address, "--bundle", COMMITTED)
    assert (done.returncode, done.stderr) == (2, f"error: What answers at {committed.address} is no Orthanc.\n")


def test_a_state_that_is_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine\n")
    with standing_in({}) as server:
        done = run("app", "follow", server.address, "--bundle", COMMITTED, "--state", tmp_path / "notes.txt")
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}/notes.txt is no state of an earlier run; choose another --state.\n"
    assert (tmp_path / "notes.txt").read_text() == "mine\n"


def test_each_server_has_a_state_of_its_own_in_the_users_folder(tmp_path: Path) -> None:
    with standing_in({}) as server:
        done = run("app", "follow", server.address, "--once", "--bundle", COMMITTED, XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 0
    port = server.address.rpartition(":")[2]
    assert (tmp_path / "bodyregion" / f"follow-127.0.0.1-{port}.json").read_text() == '{"last": 0}'


def test_a_person_reads_lines_also_where_answers_go_to_a_file(tmp_path: Path) -> None:
    with standing_in({}) as server, (tmp_path / "answers").open("wb") as answers:
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "app",
            "follow",
            server.address,
            "--dry-run",
            "--bundle",
            COMMITTED,
        ]
        with terminal(command, answers) as shown:
            shown.wait_for(r"^\d\d:\d\d:\d\d \[info\] following +bundle=mednist-")


def test_without_httpx2_it_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "httpx2.py").write_text("raise ImportError\n")
    path = f"{tmp_path}:{ROOT}"
    done = run("app", "follow", "http://127.0.0.1:1", "--bundle", COMMITTED, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Following an Orthanc needs httpx2: ")
