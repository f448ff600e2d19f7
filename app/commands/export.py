"""A compiled model as a file for people who embed it elsewhere, and a note of what it takes and gives."""

import json
import re
from pathlib import Path

from app.model.bundle import MANIFEST, Bundle
from app.model.classifier import Classifier
from app.model.note import note
from app.scoring.table import written_whole
from app.settings import SettingsError


def check(to: Path, bundles: list[Path]) -> None:
    """Raises SettingsError where that is no place for the one model to be written."""
    if len(bundles) > 1:
        raise SettingsError("Only one bundle can go to a file; name one.")
    if to.suffix != ".tflite":
        raise SettingsError(f"{to} is no .tflite file.")
    if not to.parent.is_dir():
        raise SettingsError(f"There is no folder {to.parent}.")
    if (to.parent / MANIFEST).exists():
        raise SettingsError(f"{to.parent} is a bundle, which stays as it is; choose another --to.")


def write(bundle: Bundle, to: Path) -> Path:
    """Write model and note, each whole or not at all; the note's path. Raises BundleError where the model gives no right answers."""
    Classifier(bundle)
    beside = to.with_suffix(".json")
    text = json.dumps(note(bundle, to.name), indent=1, ensure_ascii=False) + "\n"
    text = re.sub(r"\[[-\d,\s]+\]", lambda shape: "".join(shape[0].split()).replace(",", ", "), text)  # in one line
    with written_whole(beside) as said, written_whole(to) as model:
        model.write_bytes(bundle.compiled)
        said.write_text(text, encoding="utf-8")
    return beside
