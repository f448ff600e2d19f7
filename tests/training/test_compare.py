"""Bundles side by side: which is compared with which, and how the tables read on a terminal of 80 columns."""

import gzip
import re
import shutil
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from app.model import bundle
from app.model.bundle import Bundle
from tests.conftest import KINDS
from tests.running import ROOT
from training import compare, tables
from training.collect import gather
from training.compare import Judged
from training.publish import LISTING
from training.words import percent

OTHER_CLASSES = ROOT / "model_artifacts" / "mednist-0d35cfaf2f4e"  # of preset article, on Medical MNIST


def add(source: Path, root: Path) -> Path:
    return Path(shutil.copytree(source.resolve(), root / source.resolve().name))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def judge(root: Path, chosen: Path, data: Path, elsewhere: Path, cache: Path) -> tuple[list[Judged], list[str]]:
    """What `evaluate` shows of a bundle, and what it says."""
    said: list[str] = []
    pictures, version, out = partial(gather, str(data), None, cache), bundle.read(chosen).title, root.parent / "out"
    choose = lambda classes: None  # noqa: E731
    found = compare.beside_article(root, version, pictures, choose, elsewhere, out, cache / "compiled", said.append)
    return found, said


def of_other_pictures(root: Path, article: Path) -> Bundle:
    """The article's bundle, as if a picture had been another."""
    with bundle.staging(root) as folder:
        shutil.copytree(article, folder, dirs_exist_ok=True)
        listing = gzip.decompress((folder / LISTING).read_bytes()).decode()
        (folder / LISTING).write_bytes(gzip.compress(re.sub("[0-9a-f]{64}", "0" * 64, listing, count=1).encode()))
        return bundle.publish(bundle.seal(folder, bundle.read(article).manifest), root)


@pytest.fixture(scope="module")
def judged(
    robust: Path, artifacts: Path, data: Path, elsewhere: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Judged]:
    """A bundle of preset robust beside one of article, though another of that is newer and fits no picture."""
    root = tmp_path_factory.mktemp("both") / "artifacts"
    for source in (robust, artifacts):
        add(source / "current", root)
    of_other_pictures(root, artifacts / "current")
    found, said = judge(root, robust / "current", data, elsewhere, cache)
    assert said == []
    return found


def test_the_newest_of_preset_article_that_fits_is_compared_with(judged: list[Judged], artifacts: Path) -> None:
    assert [one.preset for one in judged] == ["robust", "article"]
    assert judged[1].bundle.title == bundle.read(artifacts / "current").title


@pytest.mark.parametrize("case", ["none", "classes", "pictures", "altered"])
def test_what_cannot_be_compared_with_is_said_and_harms_nothing(
    case: str, robust: Path, artifacts: Path, data: Path, elsewhere: Path, cache: Path, tmp_path: Path
) -> None:
    root = tmp_path / "artifacts"
    add(robust / "current", root)
    sentence = "there is no other bundle of preset article"
    if case == "classes":
        sentence = f"{add(OTHER_CLASSES, root).name} tells other classes apart"
    elif case == "pictures":
        sentence = f"{of_other_pictures(root, artifacts / 'current').title} was trained on other pictures"
    elif case == "altered":
        altered = add(artifacts / "current", root)
        (altered / bundle.MODEL).write_bytes(b"")
        sentence = f"The bundle {altered.name} cannot be trusted: {bundle.MODEL} is missing or was altered"
    found, said = judge(root, robust / "current", data, elsewhere, cache)
    assert [one.preset for one in found] == ["robust"]
    assert said == [f"no comparison: {sentence}"]


def printed(*shown: Table) -> list[str]:
    console = Console(file=StringIO(), width=80)
    console.print(*shown)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_every_figure_of_both_is_a_line_of_words(judged: list[Judged]) -> None:
    lines = printed(*tables.figures(judged, width=80))
    assert max(map(len, lines)) <= 80
    for key, metric in judged[0].found.metrics.items():
        other = judged[1].found.metrics.get(key)
        assert any(percent(metric) in line and (percent(other) if other else "–") in line for line in lines), key
    assert not re.search(r"(test|val|changed|external)_", "\n".join(lines))
    assert sum("right, worst change" in line for line in lines) == 1


def test_pictures_are_counted_for_each_where_they_differ(judged: list[Judged]) -> None:
    assert tables._counts([metrics := judged[0].found.metrics["test_accuracy"], metrics]) == "18"
    assert tables._counts([metrics, metrics.model_copy(update={"n": 5296, "origins": 7}), None]) == "18, 5,296 (7)"


def test_changes_stand_under_the_names_of_the_classes(judged: list[Judged]) -> None:
    lines = printed(*tables.changes(judged))
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line.startswith("change ")]
    assert [head.split()[-3:] for head in heads] == [KINDS] * 2
    row = next(line for line in lines if line.startswith("turned by 90°"))
    assert len(re.findall(r"\d+%(?= +\d|$)", row)) == 3
