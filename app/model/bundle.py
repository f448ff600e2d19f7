"""A model and everything that makes it trustworthy, in one folder; the one place that writes model_artifacts/.

<root>/<name>-<version>/   bundle.json lists every other file with its sha256
<root>/current             a link to the folder in use
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

from pydantic import ValidationError

from app.model.manifest import Manifest

MANIFEST, MODEL, COMPILED, CARD = "bundle.json", "model.keras", "model.tflite", "MODEL_CARD.md"
CURRENT = "current"
ROOT = Path("model_artifacts")


class BundleError(Exception):
    """The bundle is missing or cannot be trusted; the message is one plain sentence."""


@dataclass(frozen=True)
class Bundle:
    """A folder whose files are the ones its manifest lists."""

    folder: Path
    manifest: Manifest
    card: str = ""  # kept by `read`, because the folder may be gone while its model still answers
    compiled: bytes = field(default=b"", repr=False)  # what `app.model.checkpoint` makes of the checkpoint, for LiteRT

    @property
    def title(self) -> str:
        return f"{self.manifest.name}-{self.manifest.version}"

    def path(self, name: str) -> Path:
        return self.folder / name


def read(folder: Path) -> Bundle:
    """Open a bundle and check every listed file against its sha256. Raises BundleError."""
    bundle = _describe(folder)
    for name in (MODEL, *(golden.file for golden in bundle.manifest.golden)):
        if name not in bundle.manifest.files:
            raise BundleError(f"The bundle {folder.name} does not list {name}.")
    for name, expected in bundle.manifest.files.items():
        if not bundle.path(name).resolve().is_relative_to(bundle.folder):
            raise BundleError(f"The bundle {folder.name} cannot be trusted: {name} is a link out of it.")
        if _sha256(bundle.path(name)) != expected:
            raise BundleError(f"The bundle {folder.name} cannot be trusted: {name} is missing or was altered.")
    return replace(bundle, card=bundle.path(CARD).read_text()) if CARD in bundle.manifest.files else bundle


def default_root() -> Path:
    """`model_artifacts` below the current folder; where there is none, the one beside this package, as in a clone."""
    beside = Path(__file__).parents[2] / ROOT
    return beside if beside.is_dir() and not ROOT.is_dir() else ROOT


def available(root: Path) -> list[Bundle]:
    """Every bundle under `root` whose manifest can be read, oldest first."""
    found = []
    for path in root.glob(f"[!.]*/{MANIFEST}"):
        with suppress(BundleError):
            found += [] if path.parent.is_symlink() else [_describe(path.parent)]
    return sorted(found, key=lambda bundle: bundle.manifest.created)


def current(root: Path) -> Path | None:
    """The folder in use, if there is one."""
    link = root / CURRENT
    return link.resolve() if link.exists() else None


def find(root: Path, version: str) -> Bundle:
    """Open the bundle whose version or folder name is given, or the one in use for "current". Raises BundleError."""
    if version == CURRENT:
        return read(root / CURRENT)
    matches = [bundle for bundle in available(root) if version in (bundle.manifest.version, bundle.title)]
    if not matches:
        raise BundleError(f"There is no bundle {version} under {root}.")
    return read(matches[0].folder)


def use(root: Path, version: str) -> Bundle:
    """Point `current` at another bundle; readers see the old one or the new one."""
    bundle = find(root, version)
    link = root / f".{CURRENT}-{token_hex(8)}"  # not the process's number: in a container that is 1, as in the next
    link.symlink_to(bundle.folder.name)
    link.replace(root / CURRENT)
    return bundle


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """A folder beside the bundles to build one in; gone afterwards unless it was published."""
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=root, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def seal(folder: Path, manifest: Manifest) -> Bundle:
    """Write bundle.json for what lies in `folder`, with the files' checksums and the version they give."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: _sha256(folder / name) for name in names if name != MANIFEST}
    manifest = manifest.model_copy(update={"files": files})
    manifest = manifest.model_copy(update={"version": manifest.fingerprint()})
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return read(folder)


def publish(sealed: Bundle, root: Path) -> Bundle:
    """Move a sealed bundle to its final name; older ones stay, and the one in use stays in use."""
    target = root / sealed.title
    if not target.exists():  # the same version is the same content
        sealed.folder.chmod(0o755)
        for path in (*sealed.folder.rglob("*"), sealed.folder):
            _flush(path)
        sealed.folder.rename(target)
        _flush(root)
    return read(target)


def _describe(folder: Path) -> Bundle:
    try:
        return Bundle(folder.resolve(), Manifest.model_validate_json((folder / MANIFEST).read_bytes()))
    except OSError as error:
        raise BundleError(f"There is no bundle at {folder}.") from error
    except ValidationError as error:
        raise BundleError(f"The bundle {folder.name} cannot be trusted: its {MANIFEST} is not valid.") from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
