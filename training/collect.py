"""What a command is given, made into pictures: the data set's, and behind them the user's own."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path

from app.imaging import View
from training import datasets, folders, source, split
from training.datasets import Pictures
from training.split import Split


def opened(data: str, extra: Path | None, cache: Path) -> tuple[Path, list[str]]:
    """The data's folder and the classes there will be, once all is known that can be before a picture is decoded."""
    root = source.open_data(data, cache)
    known, *_ = datasets.listing(root, least=2)
    own = folders.classes(extra) if extra else {}
    folders.refuse_wrapped(own, known)
    names = folders.join(known, own)
    if extra:
        datasets.listing(extra, least=1)
    return root, names


def assign(
    root: Path, extra: Path | None, view: View, method: split.Method, seed: int, cache: Path, say: Callable[[str], None]
) -> Split:
    """The part each picture plays, after saying what was found; the user's own are split by themselves."""
    parts = []
    for folder, least in ((root, 2), *([(extra, 1)] if extra else [])):
        pictures = datasets.load(folder, view, cache, least)
        say("\n".join(pictures.report()))
        parts.append(split.make(pictures, method, seed))
    return reduce(split.join, parts)


def gather(data: str, extra: Path | None, cache: Path, view: View) -> Pictures:
    """The data set, and behind it the user's own pictures where there are some, as large as they are judged."""
    root, _ = opened(data, extra, cache)
    view = view._replace(size=split.SIDE)
    pictures = datasets.load(root, view, cache)
    return datasets.join(pictures, datasets.load(extra, view, cache, least=1)) if extra else pictures
