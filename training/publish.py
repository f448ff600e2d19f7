"""From a trained model to a bundle: laid out, scored as an artifact, sealed, checked once more, published."""

import gzip
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copytree

import keras
import numpy as np

from app.imaging import Picture, to_input
from app.model import bundle, checkpoint
from app.model.bundle import CARD, COMPILED, MODEL, Bundle
from app.model.classifier import Classifier, Outputs
from app.model.manifest import Manifest, Ood, Terms
from training import card, phantoms, report
from training.calibrate import Calibration
from training.companions import Companions
from training.evaluate import evaluate
from training.external import External
from training.fit import History
from training.recipes.recipe import Recipe
from training.split import Split

CHARTS, LISTING = "charts", "manifest.csv.gz"
RECORDED_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "pillow")


def draft(
    name: str,
    source: str,
    recipe: Recipe,
    split: Split,
    companions: Companions | None,
    calibration: Calibration | None,
    headers: dict[str, Terms],
    history: History,
) -> Manifest:
    """The manifest as far as it is known before the model is exported and scored."""
    ood = calibration and Ood(method=calibration.method, threshold=0.5, parameters={"energy": calibration.energy})
    beside = {"companions": {"sha256": companions.sha256, "counts": companions.counts()}} if companions else {}
    return Manifest(
        name=name,
        classes=split.pictures.classes,
        input=recipe.input,
        temperature=calibration.temperature if calibration else 1.0,
        ood=ood,
        dicom=headers,
        data={
            "source": source,
            "pictures": len(split.assigned),
            "split": split.method,
            "manifest_sha256": sha256(split.listing().encode()).hexdigest(),
            **beside,
        },
        training={
            "preset": recipe.name,
            **recipe.record(),
            "seed": split.seed,
            "epochs": len(history),
            "seconds": round(sum(row["seconds"] for row in history)),
            "versions": {"backend": keras.backend.backend(), **_versions()},
        },
    )


def publish(
    model: keras.Model,
    draft: Manifest,
    split: Split,
    companions: Companions | None,
    external: External | None,
    history: History,
    root: Path,
    run: Path,
) -> Bundle:
    """Publish `model` under `root`; figures and charts are computed from the staged bundle, not from `model`.

    The split's pictures are at least as large as the model's input, and the external ones as large.
    """
    with bundle.staging(root) as folder:
        (folder / LISTING).write_bytes(gzip.compress(split.listing().encode(), mtime=0))
        staged = _stage(model, draft, folder)
        (folder / COMPILED).write_bytes(staged.compiled)  # for places without Keras
        found = evaluate(Classifier(staged), split, companions, external)
        report.charts(found, staged.manifest.classes, folder / CHARTS)
        report.curves(history, folder / CHARTS)
        copytree(folder / CHARTS, run / CHARTS, dirs_exist_ok=True)
        report.mistakes(found, split, run)
        final = staged.manifest.model_copy(update={"metrics": found.metrics})
        (folder / CARD).write_text(card.write(final, companions))
        sealed = bundle.seal(folder, final)
        Classifier(replace(sealed, compiled=staged.compiled))
        return bundle.publish(sealed, root)


def _versions() -> dict[str, str]:
    """What was installed where the model was made."""
    found = {}
    for package in RECORDED_PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _stage(model: keras.Model, manifest: Manifest, folder: Path) -> Bundle:
    keras.Model(model.inputs, model.output, name=model.name).save(folder / MODEL)  # the same layers, no optimiser
    drawn = phantoms.candidates(seed=0)
    inputs = np.stack([to_input(Picture(pixels, "PNG", "L"), manifest.input.size) for pixels in drawn])
    outputs = model.predict_on_batch(inputs)
    score = outputs["ood_score"][:, 0] if "ood_score" in outputs else None
    golden = phantoms.golden(drawn, Outputs(outputs["probabilities"], score), folder)
    training = manifest.training | {"parameters": model.count_params()}
    sealed = bundle.seal(folder, manifest.model_copy(update={"golden": golden, "training": training}))
    return checkpoint.compiled(sealed, cache=None)
