"""Bundles of a test's own, and what opens them."""

import os
import shutil
from pathlib import Path
from typing import Any

from app.model import bundle, checkpoint
from app.model.bundle import CARD, Bundle
from app.model.classifier import Classifier
from tests.running import CACHE


def another(root: Path, **changes: Any) -> Bundle:
    """The current bundle with another card and changes to its manifest: another version, not yet in use."""
    first = bundle.read(root / "current")
    with bundle.staging(root) as folder:
        shutil.copytree(first.folder, folder, dirs_exist_ok=True)
        (folder / CARD).write_text("# mednist, again\n")
        return bundle.publish(bundle.seal(folder, first.manifest.model_copy(update=changes)), root)


def point(link: Path, folder: str | Path) -> None:
    """Let the link lead there, in one step."""
    link.with_name("next").symlink_to(folder)
    link.with_name("next").replace(link)


def flip(path: Path) -> None:
    """One bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def compiled(folder: Path) -> Bundle:
    """Through the cache that all tests of a run share."""
    return checkpoint.compiled(bundle.read(folder), Path(os.environ[CACHE]))


def classifier(folder: Path) -> Classifier:
    return Classifier(compiled(folder))
