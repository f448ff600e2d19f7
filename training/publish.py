"""From a trained model to a bundle: laid out, scored as an artifact, sealed, checked once more, published."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copytree

import keras
import numpy as np

from app.imaging import RESAMPLE, Picture, to_input
from app.model import bundle
from app.model.bundle import CARD, MODEL, Bundle, Input, Manifest
from app.model.classifier import Answers, Classifier
from training import evaluate, phantoms, report, split
from training.datasets import Pictures
from training.fit import History

CHARTS, SPLIT_LIST = "charts", "manifest.csv.gz"
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "pillow")


def publish(
    model: keras.Model, draft: Manifest, pictures: Pictures, assigned: split.Assignment, history: History, root: Path, run: Path
) -> Bundle:
    """Publish `model` under `root`; figures and charts are computed from the staged bundle, not from `model`."""
    with bundle.staging(root) as folder:
        staged = _stage(model, draft, folder)
        (folder / SPLIT_LIST).write_bytes(split.compress(split.manifest_csv(pictures, assigned)))
        classifier = Classifier(staged)
        scores = {name: evaluate.score(classifier, pictures, assigned, name) for name in ("val", "test")}
        metrics = {
            key: value for name in scores for key, value in evaluate.metrics(scores[name], pictures.classes, name).items()
        }
        final = staged.manifest.model_copy(update={"metrics": metrics})
        report.charts(history, scores["test"], metrics, pictures.classes, folder / CHARTS)
        report.mistakes(pictures, scores["test"], run)
        copytree(folder / CHARTS, run / CHARTS, dirs_exist_ok=True)
        (folder / CARD).write_text(report.card(final))
        sealed = bundle.seal(folder, final)
        Classifier(sealed)
        return bundle.publish(sealed, root)


def draft(name: str, pictures: Pictures, size: int, data: dict[str, str | int], training: dict[str, object]) -> Manifest:
    """The manifest as far as it is known before the model is exported."""
    shape = Input(size=size, resample=RESAMPLE)
    return Manifest.model_validate(
        {"name": name, "classes": pictures.classes, "input": shape, "data": data, "training": training}
    )


def versions() -> dict[str, str]:
    """What was installed where the model was made."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _stage(model: keras.Model, manifest: Manifest, folder: Path) -> Bundle:
    keras.Model(model.inputs, model.output, name=model.name).save(folder / MODEL)  # the same layers, no optimiser
    drawn = phantoms.candidates(seed=0)
    inputs = np.stack([to_input(Picture(pixels, "PNG", "L"), manifest.input.size) for pixels in drawn])
    answers = Answers(model.predict_on_batch(inputs)["probabilities"])
    golden = phantoms.golden(drawn, answers, folder)
    return bundle.seal(folder, manifest.model_copy(update={"golden": golden}))
