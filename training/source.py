"""Where the pictures come from: a folder with a sub-folder a class, an archive of one, or the public release."""

import gzip
import hashlib
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

import pooch
import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from training import DataError, folders

MEDNIST = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/MedNIST.tar.gz"
    "#md5:0bc7306e7427e00ad1c5526a6677552d"
)
MEDNIST_CREDIT = (
    "Medical MNIST, assembled by Dr. Bradley J. Erickson (Department of Radiology, Mayo Clinic) from TCIA, "
    "the RSNA Bone Age Challenge and the NIH Chest X-ray data set; CC BY-SA 4.0"
)
DOWNLOAD_RETRIES = 3
CONNECTIONS = 8  # at a time, to one server
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
UNNAMED = "pictures"  # what a bundle is called if no letter of the data's name can be in a bundle's


class _Bar:
    """pooch's idea of a progress bar, drawn by rich."""

    def __init__(self) -> None:
        columns = (TextColumn("download"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns)
        self._task = self._progress.add_task("download", total=None)
        self.total = 0

    def update(self, count: int) -> None:
        self._progress.start()
        self._progress.update(self._task, advance=count, total=self.total)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.stop()


def open_data(data: str, cache: Path) -> Path:
    """The folder of class folders behind a path or a URL#algorithm:checksum, which is fetched once. Raises DataError."""
    path = Path(data)
    if data.startswith(("http://", "https://")):
        url, _, checksum = data.partition("#")
        if not checksum:
            raise DataError(f"{url} needs its checksum, as in {url}#sha256:….")
        path = download(url, checksum, cache)
    if not path.is_dir() and not path.is_file():
        raise DataError(f"There is no folder or archive at {path}.")
    return _class_root(path if path.is_dir() else extract(path, cache))


def bundle_name(data: str) -> str:
    """What a bundle of these pictures is called: My Pictures.zip gives my-pictures."""
    path = Path(unquote(urlsplit(data).path) if data.startswith(("http://", "https://")) else data).absolute()
    name = path.name.lower()
    for suffix in ARCHIVE_SUFFIXES:
        name = name.removesuffix(suffix)
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9_]+", "-", plain).strip("-_")[:200] or UNNAMED  # as NAME_PATTERN has it


def download(url: str, known_hash: str, cache: Path) -> Path:
    """The file at `url`, kept in `cache`; a damaged or partial copy is fetched again. Raises DataError."""
    folder, name = url.rsplit("/", 1)
    store = pooch.create(cache, f"{folder}/", registry={name: known_hash}, retry_if_failed=DOWNLOAD_RETRIES)
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(store.fetch(name, downloader=pooch.HTTPDownloader(progressbar=_Bar(), timeout=60)))
    except requests.RequestException as error:
        raise DataError(
            f"{url} could not be downloaded ({type(error).__name__}); give the data with --data."
        ) from error
    except ValueError as error:  # pooch's word for a wrong checksum; it has removed the file
        raise DataError(f"{url} does not have the expected checksum, so it was not used.") from error


def fetch(addresses: dict[str, str], store: Path) -> Generator[tuple[str, Path | None]]:
    """The files that have these addresses by their sha256, in any order, kept in `store` under it; None for one that is
    not there or not what it was. Closing ends it.
    """
    known = {sha256: f"sha256:{sha256}" for sha256 in addresses}
    files = pooch.create(store, "", registry=known, urls=addresses, retry_if_failed=DOWNLOAD_RETRIES)
    pooch.get_logger().setLevel("WARNING")
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        plain = pooch.HTTPDownloader(timeout=60, stream=False)  # streaming leaves the connection of a 404 open
        tries = {pool.submit(files.fetch, sha256, downloader=plain): sha256 for sha256 in addresses}
        path: Path | None
        for done in as_completed(tries):
            try:
                path = Path(done.result())
            except (requests.RequestException, ValueError):  # the second is pooch's word for a wrong checksum
                path = None
            yield tries[done], path
    finally:
        pool.shutdown(cancel_futures=True)


def by_checksum(folder: Path) -> dict[str, Path]:
    """All files below `folder`, whatever they are called, by their sha256. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"There is no folder at {folder}.")
    files = [*folders.files(folder)]
    with ThreadPoolExecutor() as pool:
        return dict(zip(pool.map(_sha256, files), files, strict=True))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract(archive: Path, cache: Path) -> Path:
    """Unpack into `cache`, once per content; half an extraction is never mistaken for a whole one."""
    if not archive.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise DataError(f"{archive} is neither a folder nor a .tar.gz or .zip archive.")
    target = cache / _sha256(archive)[:16]
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        _unpack(archive, whole := Path(scratch) / "whole")
        try:
            whole.rename(target)
        except OSError:
            if not target.is_dir():  # another run may have been first
                raise
    return target


def _unpack(archive: Path, target: Path) -> None:
    target.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                for member in opened.infolist():
                    member.filename = member.filename.replace("\\", "/")  # PowerShell 5 against APPNOTE 4.4.17
                    opened.extract(member, target)  # drops absolute paths and .. itself
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{archive} is not a sound archive.") from error
    except RuntimeError as error:  # zipfile's, for a password and for methods such as Deflate64
        raise DataError(f"{archive} is encrypted or compressed in a way that is not read here; unpack it.") from error


def _class_root(folder: Path) -> Path:
    """`folder`, or the one folder inside it that holds the class folders."""
    inside = folders.folders(folder)
    if len(inside) == 1 and folders.folders(inside[0]):
        return _class_root(inside[0])
    return folder
