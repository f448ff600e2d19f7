"""Offline training: python -m training [split | evaluate | robustness | series]."""

import os
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from app.imaging import View
from app.model import bundle
from app.model.classifier import quiet
from app.model.manifest import NAME_PATTERN
from training import DataError, Interrupted, companions, dicom_terms, options, recipes, source, split
from training.collect import assign, gather, opened
from training.external import read as read_external

WRONG_USE, BAD_BUNDLE, INTERRUPTED = 2, 3, 130

console = Console(highlight=False, markup=False)
EPILOG = """
Exit codes: 0 done, 2 wrong use or data, 3 a bundle cannot be trusted, 130 interrupted (the same command goes on).
"""
cli = typer.Typer(add_completion=False, epilog=EPILOG, pretty_exceptions_enable=False)


@cli.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: options.Data = source.MEDNIST,
    credit: options.Credit = None,
    preset: options.Preset = recipes.DEFAULT,
    split_by: options.SplitBy = "blocked",
    seed: options.Seed = 0,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    batch_size: options.BatchSize = None,
    learning_rate: options.LearningRate = None,
    extra: options.Extra = None,
    given: options.Given = None,
    external: options.External = None,
    dicom: options.Dicom = None,
    name: options.Name = None,
    runs: options.Runs = Path("runs"),
    artifacts: options.Artifacts = options.ARTIFACTS,
    cache: options.Cache = options.CACHE,
) -> None:
    """Train a model, measure how good it is and publish it as a bundle. In a clone: make train ARGS="--preset article".

    Started again after an interruption, the same command goes on from the last whole epoch.
    """
    if context.invoked_subcommand:
        return
    recipes.check(preset, batch_size)
    if not re.fullmatch(NAME_PATTERN, name := source.bundle_name(data) if name is None else name):
        raise DataError(f"A bundle cannot be called {name!a}: its name is small letters, digits, - and _, at most 200.")
    view = recipes.INPUTS[preset].view
    root, classes = opened(data, extra, cache)
    headers = dicom_terms.read(dicom, classes)
    elsewhere = read_external(external, classes, view) if external else None
    beside = None if preset == "article" else companions.choose(given, classes, cache, console.print)
    parts = assign(root, extra, view, split_by, seed, cache, console.print)
    judged = parts if view.size >= split.SIDE else replace(parts, pictures=gather(data, extra, cache, view))
    with quiet():
        from training import fit, montage, publish, report, run_folder, summary  # here: Keras takes seconds to import

    say = partial(console.print, soft_wrap=True)
    recipe = recipes.load(preset, epochs, steps, batch_size, learning_rate)
    credit = credit or (source.MEDNIST_CREDIT if data == source.MEDNIST else Path(data).name)
    request = run_folder.request(name, credit, headers, elsewhere)
    with run_folder.alone(folder := run_folder.folder(runs, recipe, parts, beside)):
        if published := run_folder.published(folder, request, artifacts):
            say(f"nothing to do: this training is finished; to train anew, remove {folder} or give another --runs")
        else:
            montage.samples(parts, folder)
            fitted, history = fit.fit(recipe, parts, beside, folder, console)
            final, calibration = recipe.finish(fitted, parts, beside, folder)
            draft = publish.draft(name, credit, recipe, parts, beside, calibration, headers, history)
            published = publish.publish(final, draft, judged, beside, elsewhere, history, artifacts, folder)
            publish.put_in_use(published, artifacts, say)
            report.write(folder, published, parts, fit.described(fitted), folder / fit.LOGS)
            run_folder.finish(folder, request, published)
    say("\n".join([*summary.lines(published, folder), summary.cache(cache)]))


@cli.command("split")
def split_command(
    out: options.LaidOut,
    data: options.Data = source.MEDNIST,
    split_by: options.SplitBy = "blocked",
    seed: options.Seed = 0,
    cache: options.Cache = options.CACHE,
) -> None:
    """Only lay the pictures out: train_dir, val_dir and test_dir, with the class folders inside."""
    parts = split.make(gather(data, None, cache, View(split.SIDE)), split_by, seed)
    for name, folder in split.lay_out(parts, out).items():
        console.print(f"{name}: {len(parts.rows(name)):,} pictures in {folder}")


@cli.command()
def evaluate(
    version: options.Version = bundle.CURRENT,
    data: options.Data = source.MEDNIST,
    extra: options.Extra = None,
    given: options.Given = None,
    external: options.External = None,
    out: options.Out = Path("runs/evaluation"),
    artifacts: options.Artifacts = options.ARTIFACTS,
    cache: options.Cache = options.CACHE,
) -> None:
    """Measure a bundle on its test split and elsewhere, beside one of preset article: some minutes. Changes no bundle."""
    with quiet():
        from training import compare, tables

    pictures = partial(gather, data, extra, cache)
    choose = partial(companions.choose, given, cache=cache, say=console.print)
    judged = compare.beside_article(
        artifacts, version, pictures, choose, external, out, cache / "compiled", console.print
    )
    console.print(*tables.figures(judged, console.width))
    console.print(f"\nfigures and reports are in {out}")


@cli.command()
def robustness(
    version: options.Version = bundle.CURRENT,
    data: options.Data = source.MEDNIST,
    extra: options.Extra = None,
    out: options.Out = Path("runs/robustness"),
    artifacts: options.Artifacts = options.ARTIFACTS,
    cache: options.Cache = options.CACHE,
) -> None:
    """Measure a bundle on its test split changed in 17 ways, by class, beside one of preset article: some minutes."""
    with quiet():
        from training import compare, tables

    pictures = partial(gather, data, extra, cache)
    judged = compare.beside_article(
        artifacts, version, pictures, lambda classes: None, None, out, cache / "compiled", console.print
    )
    console.print(*tables.changes(judged))
    console.print(f"\nfigures and reports are in {out}")


@cli.command("series")
def series_command(
    version: options.Version = bundle.CURRENT,
    given: options.Given = None,
    seed: options.Seed = 0,
    artifacts: options.Artifacts = options.ARTIFACTS,
    cache: options.Cache = options.CACHE,
) -> None:
    """Measure how a bundle judges series drawn from its answers for held-out companions: half a minute."""
    with quiet():
        from training import compare, drawn_series, series

    chosen, answers = compare.on_companions(
        artifacts, version, partial(companions.choose, given, cache=cache, say=console.print), cache / "compiled"
    )
    console.print(*series.tables(chosen.manifest, drawn_series.draw(chosen.manifest.classes, answers, seed)))


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
