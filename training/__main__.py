"""Offline training: python -m training [split].

Exit codes: 0 done, 2 wrong use or data, 3 a bundle cannot be trusted, 130 interrupted (the same command resumes).
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import pooch
import typer
from rich.console import Console

from app.model.bundle import BundleError
from training import config, datasets, run, source, split
from training.config import DataError, Interrupted
from training.datasets import Pictures

WRONG_USE, BAD_BUNDLE, INTERRUPTED = 2, 3, 130

console = Console(highlight=False)
cli = typer.Typer(help="Turn pictures into a published bundle.")

Data = Annotated[Path | None, typer.Option(help="Folder with a sub-folder a class, or an archive of one.")]
SplitBy = Annotated[split.Method, typer.Option("--split", help="By blocks of neighbouring files, or file by file.")]
Seed = Annotated[int, typer.Option(help="Fixes the split, the first weights and the order.")]
Cache = Annotated[Path, typer.Option(help="Where downloads and decoded pictures are kept.")]
DataUrl = Annotated[str, typer.Option(help="What is downloaded where --data is not given.")]
DataHash = Annotated[str, typer.Option(help="Its checksum, as algorithm:hex.")]
CACHE = Path(pooch.os_cache("bodyregion"))


@cli.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Data = None,
    credit: Annotated[str, typer.Option(help="Whose pictures these are, for the model card.")] = config.CREDIT,
    preset: Annotated[str, typer.Option(help=f"One of: {', '.join(config.PRESETS)}.")] = config.DEFAULT_PRESET,
    split_by: SplitBy = "blocked",
    seed: Seed = 0,
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "mednist",
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    artifacts: Annotated[Path, typer.Option(help="Where bundles are published.")] = Path("model_artifacts"),
    cache: Cache = CACHE,
    data_url: DataUrl = config.MEDNIST_URL,
    data_hash: DataHash = config.MEDNIST_HASH,
) -> None:
    """Train, evaluate and publish. Started again after an interruption, it goes on from the last whole epoch."""
    if context.invoked_subcommand:
        return
    if preset not in config.PRESETS:
        raise DataError(f"There is no preset {preset}; there is {', '.join(config.PRESETS)}.")
    recipe = config.PRESETS[preset]
    pictures = open_pictures(data, recipe.size, cache, data_url, data_hash)
    parts = split.make(pictures, split_by, seed)
    folder = run.folder(runs, recipe, parts)
    with run.alone(folder):
        from training import fit, models, publish, report  # here, because Keras takes seconds to import

        fit.make_deterministic(seed)
        report.samples(parts, folder)
        model = models.build(recipe, len(pictures.classes))
        model.summary(print_fn=console.print)
        best, history = fit.fit(model, recipe, parts, folder, verbose="auto" if console.is_terminal else 2)
        draft = publish.draft(name, credit, recipe, parts, best, history)
        published = publish.publish(best, draft, parts, history, artifacts, folder)
    console.print(f"published {published.title}, now current; the report is in {folder}")


@cli.command("split")
def split_command(
    out: Annotated[Path, typer.Option(help="Where train_dir, val_dir and test_dir go.")],
    data: Data = None,
    split_by: SplitBy = "blocked",
    seed: Seed = 0,
    cache: Cache = CACHE,
    data_url: DataUrl = config.MEDNIST_URL,
    data_hash: DataHash = config.MEDNIST_HASH,
) -> None:
    """Lay the pictures out as train_dir, val_dir and test_dir with the class folders inside."""
    pictures = open_pictures(data, config.ARTICLE.size, cache, data_url, data_hash)
    parts = split.make(pictures, split_by, seed)
    for name, folder in split.lay_out(parts, out).items():
        console.print(f"{name}: {len(parts.rows(name)):,} pictures in {folder}")


def open_pictures(data: Path | None, size: int, cache: Path, url: str, known_hash: str) -> Pictures:
    """Find the pictures, decode them and say what they are."""
    pictures = datasets.load(source.open_data(data, cache, url, known_hash), size, cache)
    for line in pictures.report():
        console.print(line)
    return pictures


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        cli()
    except DataError as error:
        sys.exit(_say(str(error), WRONG_USE))
    except BundleError as error:
        sys.exit(_say(str(error), BAD_BUNDLE))
    except Interrupted:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except OSError as error:
        sys.exit(_say(f"{error.filename or 'The disk'}: {error.strerror or error}.", WRONG_USE))


def _say(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
