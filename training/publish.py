"""From a trained model to a bundle: laid out, scored as an artifact, sealed, checked once more, published."""

import gzip
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copytree, rmtree
from typing import cast

import keras
import numpy as np

from app.imaging import Picture, to_input
from app.model import bundle, checkpoint
from app.model.bundle import CARD, COMPILED, MODEL, Bundle
from app.model.classifier import Classifier, Outputs
from app.model.manifest import Manifest, Ood, Terms
from training import card, charts, montage, phantoms
from training.calibrate import Calibration
from training.companions import Companions
from training.evaluate import evaluate
from training.external import External
from training.intervals import mean_recall
from training.recipes.recipe import History, Recipe
from training.split import Split

CHARTS, LISTING = "charts", "manifest.csv.gz"
COMPARED = {"test_accuracy": "as they are", "changed_mean": "that were changed"}  # by these a bundle is worse
LEAST_STRANGERS = 2  # golden pictures that are refused
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
            **({"overrides": overrides} if (overrides := recipe.overrides()) else {}),
            "seed": split.seed,
            "epochs": len(history),
            "kept_epoch": recipe.kept_epoch(history),
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
    """Publish `model` under `root`, not yet in use; figures and charts are computed from the staged bundle.

    The split's pictures are at least as large as the model's input, and the external ones as large.
    """
    with bundle.staging(root) as folder:
        (folder / LISTING).write_bytes(gzip.compress(split.listing().encode(), mtime=0))
        staged = _stage(model, draft, folder)
        (folder / COMPILED).write_bytes(staged.compiled)  # for places without Keras
        found = evaluate(Classifier(staged), split, companions, external)
        charts.charts(found, staged.manifest.classes, folder / CHARTS)
        charts.curves(history, cast(int, draft.training["kept_epoch"]), split, folder / CHARTS)
        rmtree(run / CHARTS, ignore_errors=True)  # those of what was judged before
        copytree(folder / CHARTS, run / CHARTS)
        montage.mistakes(found, split, run)
        final = staged.manifest.model_copy(update={"metrics": found.metrics})
        (folder / CARD).write_text(card.write(final, companions))
        sealed = bundle.seal(folder, final)
        Classifier(replace(sealed, compiled=staged.compiled))
        return bundle.publish(sealed, root)


def put_in_use(published: Bundle, root: Path, say: Callable[[str], None]) -> None:
    """Make it the current bundle, unless it is no better than chance; says so, what it lacks, and how to go back."""
    manifest = published.manifest
    for line in _not_golden(manifest):
        say(line)
    if not _beats_chance(manifest):
        say(
            f"published {published.title}, which is not made current: on its test split it is no better than chance; "
            f"{_command(manifest, root)} takes it all the same"
        )
        return
    before = next((one for one in bundle.available(root) if one.folder == bundle.current(root)), published)
    bundle.use(root, published.title)
    say(f"published {published.title}, now current")
    if lost := _lost(manifest, before.manifest):
        say(f"it is worse than {before.title} before it: {lost}; {_command(before.manifest, root)} goes back")


def _command(manifest: Manifest, root: Path) -> str:
    return shlex.join(["./bodyregion", "use", manifest.version, "--root", str(root)])


def _beats_chance(manifest: Manifest) -> bool:
    """Whether the interval of the mean recall on the test split lies above what always the same answer gives."""
    recalls = [manifest.metrics[f"test_recall_{name}"] for name in manifest.classes]
    right = np.concatenate([np.arange(recall.n) < round(recall.value * recall.n) for recall in recalls])
    labels = np.repeat(np.arange(len(recalls)), [recall.n for recall in recalls])
    return mean_recall(right, labels).low > 1 / len(recalls)


def _lost(manifest: Manifest, before: Manifest) -> str:
    """By how much it is worse than the one before on the same classes; empty where it is not."""
    if {*manifest.classes} != {*before.classes}:
        return ""
    pairs = {title: (manifest.metrics[key], before.metrics.get(key)) for key, title in COMPARED.items()}
    lost = [
        f"on pictures {title} {now.value:.2%} against {then.value:.2%}, {100 * (then.value - now.value):.2f} points less"
        for title, (now, then) in pairs.items()
        if then and now.value < then.value
    ]
    same = manifest.data.get("manifest_sha256") == before.data.get("manifest_sha256")
    where = "the same test split" if same else "each on its own test split"
    return f"{', '.join(lost)} ({where})" if lost else ""


def _not_golden(manifest: Manifest) -> list[str]:
    """Which regions, and whether strangers, are wanting among the golden pictures."""
    regions = [name for name in manifest.classes if phantoms.golden_file(name) not in manifest.files]
    refused = [name for name in phantoms.STRANGERS if phantoms.golden_file(name) in manifest.files]
    said = [f"no drawing that it is right about, for the golden pictures: {', '.join(regions)}"] if regions else []
    if manifest.ood and len(refused) < LEAST_STRANGERS:
        said.append(f"of {len(phantoms.STRANGERS)} kinds of drawn strangers it refuses {len(refused)}")
    return said


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
    golden = phantoms.golden(drawn, Outputs(outputs["probabilities"], score), manifest, folder)
    training = manifest.training | {"parameters": model.count_params()}
    sealed = bundle.seal(folder, manifest.model_copy(update={"golden": golden, "training": training}))
    return checkpoint.compiled(sealed, cache=None)
