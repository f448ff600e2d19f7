"""Bundles of a test's own."""

import shutil
from pathlib import Path

from app.model import bundle
from app.model.bundle import CARD, Bundle


def another(root: Path) -> Bundle:
    """The current bundle with another card, which makes it another version; not yet in use."""
    first = bundle.read(root / "current")
    with bundle.staging(root) as folder:
        shutil.copytree(first.folder, folder, dirs_exist_ok=True)
        (folder / CARD).write_text("# mednist, again\n")
        published = bundle.publish(bundle.seal(folder, first.manifest), root)
    bundle.use(root, first.manifest.version)
    return published
