"""Offline training: python -m training [split | evaluate | robustness]."""

import os
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import pooch
import typer
from rich.console import Console

from app.imaging import View
from app.model import bundle
from app.model.classifier import quiet
from app.model.manifest import NAME_PATTERN
from training import DataError, Interrupted, companions, dicom_terms, recipes, source, split
from training.collect import assign, gather, opened
from training.external import read as read_external

WRONG_USE, BAD_BUNDLE, INTERRUPTED = 2, 3, 130

console = Console(highlight=False, markup=False)
EPILOG = """
Exit codes: 0 done, 2 wrong use or data, 3 a bundle cannot be trusted, 130 interrupted (the same command goes on).
"""
cli = typer.Typer(add_completion=False, epilog=EPILOG, pretty_exceptions_enable=False)

Data = Annotated[str, typer.Option(help="Folder with a sub-folder a class, or an archive of one, or its URL#checksum.")]
SplitBy = Annotated[split.Method, typer.Option("--split", help="By blocks of neighbouring files, or file by file.")]
Seed = Annotated[int, typer.Option(help="Fixes the split, the first weights and the order.")]
Cache = Annotated[Path, typer.Option(help="Where downloads, decoded pictures and compiled models are kept.")]
Extra = Annotated[Path | None, typer.Option(help="Your own pictures, a folder a class; none/ holds strangers.")]
Given = Annotated[str | None, typer.Option("--companions", help="A folder of them, or none; else they are fetched.")]
External = Annotated[Path | None, typer.Option(help="Pictures from elsewhere: in/, off_protocol/ and out/.")]
Version = Annotated[str, typer.Option("--bundle", help="Version or folder name.")]
Out = Annotated[Path, typer.Option(help="Where the figures as JSON and the charts go.")]
Artifacts = Annotated[Path, typer.Option(help="Where bundles are published.")]
ARTIFACTS, CACHE, COMPILED = Path("model_artifacts"), Path(pooch.os_cache("bodyregion")), "compiled"


@cli.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Data = source.MEDNIST,
    credit: Annotated[str | None, typer.Option(help="Whose pictures these are, for the model card.")] = None,
    preset: Annotated[str, typer.Option(help=f"One of: {', '.join(recipes.INPUTS)}.")] = recipes.DEFAULT,
    split_by: SplitBy = "blocked",
    seed: Seed = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="How many; the recipe's own number by default.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Batches an epoch; else the recipe's own number.")] = None,
    extra: Extra = None,
    given: Given = None,
    external: External = None,
    dicom: Annotated[Path | None, typer.Option(help="JSON: what DICOM headers say of each class.")] = None,
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "mednist",
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    artifacts: Artifacts = ARTIFACTS,
    cache: Cache = CACHE,
) -> None:
    """Train, evaluate and publish. Started again after an interruption, it goes on from the last whole epoch."""
    if context.invoked_subcommand:
        return
    if preset not in recipes.INPUTS:
        raise DataError(f"There is no preset {preset}; there is {', '.join(recipes.INPUTS)}.")
    if not re.fullmatch(NAME_PATTERN, name):
        raise DataError(f"A bundle cannot be called {name!a}: its name is small letters, digits, - and _, at most 200.")
    view = recipes.INPUTS[preset].view
    root, classes = opened(data, extra, cache)
    headers = dicom_terms.read(dicom, classes)
    elsewhere = read_external(external, classes, view) if external else None
    beside = None if preset == "article" else companions.choose(given, classes, cache, console.print)
    parts = assign(root, extra, view, split_by, seed, cache, console.print)
    judged = parts if view.size >= split.SIDE else replace(parts, pictures=gather(data, extra, cache, view))
    with quiet():  # TensorFlow, which says on standard error what it was built with
        from training import fit, publish, report, run_folder  # here: Keras takes seconds to import

    recipe = recipes.load(preset, epochs, steps)
    with run_folder.alone(folder := run_folder.folder(runs, recipe, parts, beside)):
        report.samples(parts, folder)
        fitted, history = fit.fit(recipe, parts, beside, folder, console)
        final, calibration = recipe.finish(fitted, parts, beside, folder)
        credit = credit or (source.MEDNIST_CREDIT if data == source.MEDNIST else Path(data).name)
        draft = publish.draft(name, credit, recipe, parts, beside, calibration, headers, history)
        published = publish.publish(final, draft, judged, beside, elsewhere, history, artifacts, folder)
        publish.put_in_use(published, artifacts, partial(console.print, soft_wrap=True))
    console.print(f"the report is in {folder}")


@cli.command("split")
def split_command(
    out: Annotated[Path, typer.Option(help="Where train_dir, val_dir and test_dir go.")],
    data: Data = source.MEDNIST,
    split_by: SplitBy = "blocked",
    seed: Seed = 0,
    cache: Cache = CACHE,
) -> None:
    """Lay the pictures out as train_dir, val_dir and test_dir with the class folders inside."""
    parts = split.make(gather(data, None, cache, View(split.SIDE)), split_by, seed)
    for name, folder in split.lay_out(parts, out).items():
        console.print(f"{name}: {len(parts.rows(name)):,} pictures in {folder}")


@cli.command()
def evaluate(
    version: Version = bundle.CURRENT,
    data: Data = source.MEDNIST,
    extra: Extra = None,
    given: Given = None,
    external: External = None,
    out: Out = Path("runs/evaluation"),
    artifacts: Artifacts = ARTIFACTS,
    cache: Cache = CACHE,
) -> None:
    """Every figure of a bundle on the test split its own manifest names, next to preset article's."""
    with quiet():
        from training import compare

    pictures = partial(gather, data, extra, cache)
    choose = partial(companions.choose, given, cache=cache, say=console.print)
    judged = compare.beside_article(artifacts, version, pictures, choose, external, out, cache / COMPILED)
    console.print(compare.table(judged))
    console.print(f"figures and charts are in {out}")


@cli.command()
def robustness(
    version: Version = bundle.CURRENT,
    data: Data = source.MEDNIST,
    extra: Extra = None,
    out: Out = Path("runs/robustness"),
    artifacts: Artifacts = ARTIFACTS,
    cache: Cache = CACHE,
) -> None:
    """How a bundle fares on its test split under each change, by class, next to preset article."""
    with quiet():
        from training import compare

    pictures = partial(gather, data, extra, cache)
    judged = compare.beside_article(artifacts, version, pictures, lambda classes: None, None, out, cache / COMPILED)
    console.print(compare.corruptions_table(judged))
    console.print(f"figures and charts are in {out}")


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        code = cli(standalone_mode=False)  # so that wrong use is raised and not drawn
    except typer.TyperException as error:
        code = _say(error.format_message(), WRONG_USE)
    except DataError as error:
        code = _say(str(error), WRONG_USE)
    except bundle.BundleError as error:
        code = _say(str(error), BAD_BUNDLE)
    except Interrupted:
        print("stopped; the same command goes on from here", file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:
        code = _say(f"{error.filename or 'The disk'}: {error.strerror or error}.", WRONG_USE)
    sys.exit(code)


def _say(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
