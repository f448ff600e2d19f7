"""Where the data comes from: folders, archives, and downloads from a real server that may misbehave."""

import hashlib
import re
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.model.manifest import NAME_PATTERN
from tests.running import run
from training import DataError
from training.source import MEDNIST, bundle_name, download, extract, open_data


@pytest.fixture(scope="module")
def archive(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "Phantoms"
    return Path(shutil.make_archive(str(path), "gztar", data.parent, data.name))


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; a file called short.tar.gz breaks off half way."""

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        outputfile.write(source.read(2000) if "short" in self.path else source.read())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(archive: Path) -> Iterator[str]:
    """Serves the archive as it is, and again as short.tar.gz."""
    shutil.copy(archive, archive.with_name("short.tar.gz"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(archive.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Between its four attempts pooch sleeps for six seconds in all; not here, and not in the commands started here."""
    hook = tmp_path_factory.mktemp("hook")
    (hook / "sitecustomize.py").write_text("import time\ntime.sleep = lambda seconds: None\n")
    monkeypatch.setenv("PYTHONPATH", str(hook))
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def sha256(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_good_download_is_kept_and_not_fetched_twice(site: str, archive: Path, tmp_path: Path) -> None:
    path = download(f"{site}/Phantoms.tar.gz", sha256(archive), tmp_path)
    assert path.read_bytes() == archive.read_bytes()
    before = path.stat().st_mtime_ns
    assert download(f"{site}/Phantoms.tar.gz", sha256(archive), tmp_path).stat().st_mtime_ns == before


def test_a_damaged_copy_in_the_cache_is_fetched_again(site: str, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "Phantoms.tar.gz").write_bytes(archive.read_bytes()[:1000])
    assert download(f"{site}/Phantoms.tar.gz", sha256(archive), tmp_path).read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("name", ["short.tar.gz", "absent.tar.gz"])
def test_a_broken_or_missing_download_is_one_sentence_and_leaves_nothing(
    site: str, archive: Path, tmp_path: Path, name: str
) -> None:
    places: list[str | Path] = ["--cache", tmp_path / "cache", "--out", tmp_path / "out"]
    done = run("training", "split", "--data", f"{site}/{name}#{sha256(archive)}", *places)
    assert done.returncode == 2
    assert done.stderr.startswith("error: http://127.0.0.1")
    assert not (tmp_path / "cache" / name).exists()


def test_corrupt_content_is_not_used(site: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="checksum"):
        download(f"{site}/Phantoms.tar.gz", "sha256:" + "0" * 64, tmp_path)
    assert not (tmp_path / "Phantoms.tar.gz").exists()


def test_a_download_trains_like_a_folder(site: str, archive: Path, data: Path, tmp_path: Path) -> None:
    found = open_data(f"{site}/Phantoms.tar.gz#{sha256(archive)}", tmp_path)
    assert sorted(path.name for path in found.iterdir()) == sorted(path.name for path in data.iterdir())


def test_a_url_without_a_checksum_is_refused(site: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs its checksum"):
        open_data(f"{site}/Phantoms.tar.gz", tmp_path)


def test_a_zip_and_a_tar_are_opened_once_and_found_again(data: Path, archive: Path, tmp_path: Path) -> None:
    zipped = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", data.parent, data.name))
    for packed in (zipped, archive):
        folder = extract(packed, tmp_path / "cache")
        assert len(list(folder.rglob("*.png"))) == len(list(data.rglob("*.png")))
        before = folder.stat().st_mtime_ns
        assert extract(packed, tmp_path / "cache").stat().st_mtime_ns == before


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("evil")
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        tar.add(secret, "../../escaped")
    with pytest.raises(DataError):
        extract(tmp_path / "evil.tar.gz", tmp_path / "deep" / "cache")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.write(secret, "../../escaped")
    extract(tmp_path / "evil.zip", tmp_path / "deep" / "cache")
    assert not list(tmp_path.rglob("escaped")) or all("cache" in path.parts for path in tmp_path.rglob("escaped"))


@pytest.mark.parametrize("name", ["absent", "notes.txt", "broken.zip", "broken.tar.gz"])
def test_what_is_no_data_is_one_sentence(tmp_path: Path, name: str) -> None:
    if name != "absent":
        (tmp_path / name).write_text("no pictures here")
    with pytest.raises(DataError, match=r"\.$"):
        open_data(str(tmp_path / name), tmp_path / "cache")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (MEDNIST, "mednist"),
        ("here/MedNIST.tar.gz", "mednist"),
        ("My Pictures/", "my-pictures"),
        ("Schädel & Hände_2.v1.ZIP", "schadel-hande_2-v1"),
        ("https://example.org/a%20b.tgz?download=1#sha256:00", "a-b"),
        ("写真", "pictures"),
        ("_" + "a" * 300, "a" * 200),
    ],
)
def test_a_bundle_is_called_as_its_pictures_are(data: str, name: str) -> None:
    assert bundle_name(data) == name
    assert re.fullmatch(NAME_PATTERN, name)
