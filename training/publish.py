"""From a trained model to a bundle: laid out, scored as an artifact, sealed, checked once more, published."""

import gzip
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copytree

import keras
import numpy as np

from app.imaging import RESAMPLE, Picture, to_input
from app.model import bundle
from app.model.bundle import CARD, MODEL, Bundle, Input, Manifest
from app.model.classifier import Answers, Classifier
from training import evaluate, phantoms, report
from training.config import Preset
from training.fit import History
from training.split import Split

CHARTS, LISTING = "charts", "manifest.csv.gz"
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "pillow")


def draft(name: str, source: str, preset: Preset, split: Split, model: keras.Model, history: History) -> Manifest:
    """The manifest as far as it is known before the model is exported and scored."""
    return Manifest(
        name=name,
        classes=split.pictures.classes,
        input=Input(size=preset.size, resample=RESAMPLE),
        data={
            "source": source,
            "pictures": len(split.assigned),
            "split": split.method,
            "manifest_sha256": sha256(split.listing().encode()).hexdigest(),
        },
        training={
            "preset": preset.name,
            **preset.record(),
            "seed": split.seed,
            "parameters": model.count_params(),
            "epochs": len(history),
            "seconds": round(sum(row["seconds"] for row in history)),
            "versions": {"backend": keras.backend.backend(), **_versions()},
        },
    )


def publish(model: keras.Model, draft: Manifest, split: Split, history: History, root: Path, run: Path) -> Bundle:
    """Publish `model` under `root`; figures and charts are computed from the staged bundle, not from `model`."""
    with bundle.staging(root) as folder:
        (folder / LISTING).write_bytes(gzip.compress(split.listing().encode(), mtime=0))
        staged = _stage(model, draft, folder)
        classifier, classes = Classifier(staged), split.pictures.classes
        val, test = (evaluate.score(classifier, split, name) for name in ("val", "test"))
        metrics = evaluate.metrics(val, classes, "val") | evaluate.metrics(test, classes, "test")
        report.charts(history, test, metrics, classes, folder / CHARTS)
        copytree(folder / CHARTS, run / CHARTS, dirs_exist_ok=True)
        report.mistakes(split.pictures, test, run)
        final = staged.manifest.model_copy(update={"metrics": metrics})
        (folder / CARD).write_text(report.card(final))
        sealed = bundle.seal(folder, final)
        Classifier(sealed)
        return bundle.publish(sealed, root)


def _versions() -> dict[str, str]:
    """What was installed where the model was made."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _stage(model: keras.Model, manifest: Manifest, folder: Path) -> Bundle:
    keras.Model(model.inputs, model.output, name=model.name).save(folder / MODEL)  # the same layers, no optimiser
    drawn = phantoms.candidates(seed=0)
    inputs = np.stack([to_input(Picture(pixels, "PNG", "L"), manifest.input.size) for pixels in drawn])
    answers = Answers(model.predict_on_batch(inputs)["probabilities"])
    golden = phantoms.golden(drawn, answers, folder)
    return bundle.seal(folder, manifest.model_copy(update={"golden": golden}))
