"""The commands that are about bundles themselves: check | compile | bundles | use."""

from pathlib import Path

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from app import settings
from app.commands import options
from app.model import bundle, checkpoint

NAME_FOLDER = "name the folder of one"


def check(path: options.Checked = options.CURRENT) -> None:
    """Verify a bundle as the service would, compare its checkpoint with the compiled form, and print its card."""
    from app.model.classifier import Classifier

    opened = checkpoint.compiled(open_bundle(path, NAME_FOLDER), cache=None)  # anew, which compares
    Classifier(opened)
    Console().print(Markdown(opened.card))
    Console().print(f"{opened.title} is sound.")
    if not checkpoint.has_keras():
        Console().print("Keras is not installed here, so its checkpoint could not be compared with its compiled form.")


def compile_command(
    cache: options.Cache,
    paths: options.Compiled = None,
    to: options.To = None,
) -> None:
    """Compile checkpoints into the cache, for a start without Keras or without waiting for it, or into a file."""
    from app.commands import export

    chosen = paths or [options.CURRENT]
    if to:
        export.check(to, chosen)
    for path in chosen:
        opened = checkpoint.compiled(open_bundle(path, NAME_FOLDER), cache)
        if to:
            typer.echo(f"{opened.title} is in {to}, and what it takes and gives in {export.write(opened, to)}.")
        elif checkpoint.keeps(cache, opened):
            typer.echo(f"{opened.title} is compiled.")
        elif checkpoint.has_keras():
            raise settings.SettingsError(f"The cache {cache} is not a writable folder of this user's alone.")
        else:
            typer.echo(f"{opened.title} carries its compiled form, which serves as it is where Keras is not installed.")


def bundles(root: options.Root = options.ROOT) -> None:
    """List the published bundles; the arrow points at the current one."""
    table = Table("", "bundle", "created", "preset", "test accuracy")
    for found in _published(root):
        accuracy = found.manifest.metrics.get("test_accuracy")
        table.add_row(
            "→" if found.folder == bundle.current(root) else "",
            found.title,
            f"{found.manifest.created:%Y-%m-%d %H:%M}",
            str(found.manifest.training.get("preset", "")),
            f"{accuracy.value:.2%}" if accuracy else "",
        )
    Console().print(table)


def use(version: options.Version, root: options.Root = options.ROOT) -> None:
    """Make another published bundle the current one; a running service changes over to it."""
    _published(root)
    typer.echo(f"{bundle.use(root, version).title} is now current.")


def open_bundle(folder: Path, how: str = "name one with --bundle or BODYREGION_BUNDLE") -> bundle.Bundle:
    """The bundle in a folder. Raises BundleError, which says `how` to name another where there is none."""
    if not (folder / bundle.MANIFEST).exists():
        raise bundle.BundleError(f"There is no bundle at {folder}; {how}.")
    return bundle.read(folder)


def _published(root: Path) -> list[bundle.Bundle]:
    if not (published := bundle.available(root)):
        raise bundle.BundleError(f"There is no bundle under {root}; name the folder that holds them with --root.")
    return published
