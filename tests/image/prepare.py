"""python -m tests.image.prepare FOLDER: what the image is shown: each DICOM encoding, a new bundle, and an old one."""

import shutil
import sys
from pathlib import Path

from app.model import bundle
from app.model.bundle import COMPILED
from tests.app.dicom_encodings import ENCODINGS
from tests.conftest import KINDS, train
from training import phantoms


def main(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for name, (data, _) in ENCODINGS.items():
        (folder / "pictures" / name).write_bytes(data)
    phantoms.write_data_set(folder / "data", KINDS, count=60, seed=0)
    new = bundle.read(train(folder / "data", folder) / bundle.CURRENT)
    old = shutil.copytree(new.folder, folder / "old", ignore=shutil.ignore_patterns(COMPILED))
    bundle.seal(old, new.manifest)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
