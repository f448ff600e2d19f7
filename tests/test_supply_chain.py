"""What is installed is what is locked, what is locked is what was asked for, and none of it is known to be unsafe."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import app
from tests.running import ROOT

FLOORS = {  # the first releases without a hole that a stranger's file, form or request could reach
    "h11": "0.16.0",
    "keras": "3.15.1",
    "pillow": "13.0",
    "pydicom": "3.0.2",
    "python-multipart": "0.0.32",
    "starlette": "1.3.1",
}
NOT_IN_THE_IMAGE = {"keras", "tensorflow", "tensorflow-cpu"}
LOCKS = {
    name: ROOT / name
    for name in ("requirements.lock", "requirements-image.lock", "requirements-dev.lock", "requirements-tools.lock")
}
SERVICE, IMAGE, DEVELOPMENT, TOOLS = LOCKS.values()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASKED = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
SERVED = [*ASKED, *EXTRAS["orthanc"]]


def test_the_service_says_the_version_of_the_project() -> None:
    assert app.__version__ == PROJECT["project"]["version"]


def entries(lock: Path) -> list[str]:
    """Each requirement of a lock with its hashes, in one line."""
    lines = re.sub(r"\\\n", "", lock.read_text()).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def locked(lock: Path) -> dict[str, set[Version]]:
    """The versions of each package: more than one where platforms or Pythons differ."""
    versions: dict[str, set[Version]] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.partition(" --hash")[0])
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        versions.setdefault(canonicalize_name(requirement.name), set()).add(Version(pin.version))
    return versions


@pytest.mark.parametrize("name", FLOORS)
def test_what_is_locked_and_installed_is_not_older_than_its_last_known_hole(name: str) -> None:
    assert min(locked(SERVICE)[name] | locked(DEVELOPMENT)[name]) >= Version(FLOORS[name])
    assert Version(version(name)) in locked(DEVELOPMENT)[name]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes(name: str) -> None:
    found = entries(LOCKS[name])
    assert len(found) >= 40
    assert not [entry for entry in found if not re.search(r" --hash=sha256:[0-9a-f]{64}( |$)", entry)]
    assert not [entry for entry in found if "://" in entry]


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        (SERVICE, SERVED),
        (IMAGE, [item for item in SERVED if Requirement(item).name not in NOT_IN_THE_IMAGE]),
        (DEVELOPMENT, [*ASKED, *(item for extra in EXTRAS.values() for item in extra)]),
        (TOOLS, PROJECT["dependency-groups"]["tools"]),
    ],
    ids=LOCKS,
)
def test_everything_that_is_asked_for_is_locked_at_a_version_that_will_do(lock: Path, asked: list[str]) -> None:
    versions = locked(lock)
    for requirement in map(Requirement, asked):
        if requirement.name != PROJECT["project"]["name"]:
            assert all(map(requirement.specifier.contains, versions[canonicalize_name(requirement.name)]))


def test_development_runs_what_the_service_runs() -> None:
    development = set(entries(DEVELOPMENT))
    assert set(entries(SERVICE)) <= development


def test_the_image_runs_what_the_service_runs_but_does_not_compile() -> None:
    assert set(entries(IMAGE)) < set(entries(SERVICE))
    assert not NOT_IN_THE_IMAGE & set(locked(IMAGE))


def test_pip_never_installs_without_hashes() -> None:
    for file in ("Makefile", "Dockerfile"):
        installs = re.findall(r"pip install.*", (ROOT / file).read_text())
        assert installs
        assert all("--require-hashes" in line or line.endswith("uv") for line in installs)  # uv only writes the locks
