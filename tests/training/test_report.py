"""The one page of a run: what it shows, in which order, and that all it points at is there."""

import re
import shlex
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from app.imaging import View
from app.model import bundle
from training import datasets, report, split


@pytest.fixture
def run(artifacts: Path) -> Path:
    [folder] = (artifacts.parent / "runs").iterdir()
    return folder


def headings(folder: Path) -> list[str]:
    return re.findall("<h2[^>]*>(.*?)</h2>", (folder / report.REPORT).read_text())


def test_a_report_reads_from_the_pictures_to_where_the_bundle_lies(run: Path) -> None:
    assert headings(run) == [
        "What was trained",
        "Sample pictures",
        "The model",
        "Learning",
        "Figures",
        "Confusion matrix",
        "By class",
        "Changed pictures",
        "Reliability",
        "Strangers",
        "The surest mistakes",
        "Where it fails",
        "Where it lies",
    ]
    page = (run / report.REPORT).read_text()
    assert "<script" not in page
    assert "conv2d (Conv2D)" in page
    assert "157,539 parameters" in page
    assert "precision" in page


def test_all_that_a_report_shows_and_links_is_there_and_all_charts_are_shown(run: Path) -> None:
    page = (run / report.REPORT).read_text()
    shown = {unquote(source) for source in re.findall('src="([^"]*)"', page)}
    assert shown == {path.relative_to(run).as_posix() for path in run.rglob("*.png")}
    links = [unquote(link) for link in re.findall('href="([^#"][^"]*)"', page)]
    assert links
    assert all((run / link).is_file() for link in links)


def test_the_command_for_tensorboard_finds_the_run(run: Path) -> None:
    [command] = re.findall("<dt>TensorBoard</dt><dd><code>(.*?)</code>", (run / report.REPORT).read_text())
    done = subprocess.run([*shlex.split(unescape(command)), "--inspect"], capture_output=True, text=True, check=True)
    assert "epoch_loss" in done.stdout


def test_a_report_has_what_was_judged_elsewhere_and_the_roc_curve_of_strangers(robust: Path) -> None:
    [folder] = (robust.parent / "runs").iterdir()
    assert headings(folder)[-6:-3] == ["Reliability", "Pictures from elsewhere", "Strangers"]
    assert 'src="charts/roc.png"' in (folder / report.REPORT).read_text()


def test_names_of_classes_and_data_are_text_in_a_report(artifacts: Path, data: Path, tmp_path: Path) -> None:
    [published] = bundle.available(artifacts)
    changed = published.manifest.model_copy(
        update={"data": published.manifest.data | {"source": "<img src=x>"}, "training": published.manifest.training}
    )
    parts = split.make(datasets.load(data, View(32), tmp_path / "cache"), "blocked", 0)
    parts.pictures.classes[0] = "<b>bold</b>"
    report.write(tmp_path, bundle.Bundle(published.folder, changed), parts)
    page = (tmp_path / report.REPORT).read_text()
    assert "&lt;img src=x&gt;" in page
    assert "&lt;b&gt;bold" in page
    assert not re.search("<img src=x|<b>", page)
    assert "Learning" not in headings(tmp_path)  # what does not exist is not there
