"""What a training says at its end, and what figures are called, with files and no model."""

import subprocess
from pathlib import Path

import pytest

from app.imaging import RESAMPLE
from app.model import bundle
from app.model.bundle import Bundle
from app.model.manifest import Input, Manifest, Metric
from tests.running import BEFORE, COMMITTED
from training import summary, words
from training.sections import CONTENTS

RECALLS = {"test_recall_Hand": 0.9, "test_recall_HeadCT": 0.8}
HELD_OUT = {"heldout_mean_recall": 0.7, "heldout_out_accepted": 0.2}
EXTERNAL = {"external_mean_recall": 0.6}


def told(figures: dict[str, float]) -> list[str]:
    metrics = {
        name: Metric(value=value, low=0, high=1, n=1200) for name, value in ({"test_accuracy": 0.85} | figures).items()
    }
    manifest = Manifest(
        name="toy", classes=["Hand", "HeadCT"], input=Input(size=64, resample=RESAMPLE), metrics=metrics
    )
    return [*summary.lines(Bundle(Path("bundles/toy-1"), manifest), Path("runs/one"))]


def test_five_lines_tell_how_good_it_is_and_where_it_lies() -> None:
    accuracy, worst, _, where, report = told(RECALLS)
    assert "accuracy: 85.00% (0.00–100.00) of 1,200 pictures, with the 95 % interval" in accuracy
    assert "HeadCT, recall 80.00% (0.00–100.00) of 1,200" in worst
    assert "bundles/toy-1, its card is MODEL_CARD.md" in where
    assert report.endswith(" runs/one/report.html")


@pytest.mark.parametrize(
    ("figures", "parts"),
    [
        ({}, ["not measured"]),
        (HELD_OUT, ["mean recall 70.00%", "of 1,200 held-out companions, strangers let in 20.00%"]),
        (HELD_OUT | EXTERNAL, ["mean recall 60.00%", "of 1,200 pictures from elsewhere"]),
        ({"out_accepted": 0.1}, ["elsewhere:     strangers let in 10.00%"]),
    ],
)
def test_elsewhere_is_what_was_judged_farthest_away(figures: dict[str, float], parts: list[str]) -> None:
    line = told(RECALLS | figures)[2]
    assert all(part in line for part in parts)
    assert ("strangers" in line) == any(
        "out_accepted" in key for key in figures if not EXTERNAL.keys() & figures.keys()
    )


def test_the_command_that_clears_the_cache_does_so(tmp_path: Path) -> None:
    cache = tmp_path / "a cache"
    (cache / "inside").mkdir(parents=True)
    (cache / "inside" / "file").write_bytes(bytes(2_500_000))
    said = summary.cache(cache)
    assert f"2.5 MB of downloads, decoded pictures and compiled models in {cache}; " in said
    command = said.split("; ")[-1].removesuffix(" clears it")
    subprocess.run(["bash", "-c", command], check=True)
    assert not cache.exists()


@pytest.mark.parametrize("folder", [COMMITTED, BEFORE])
def test_every_figure_has_words_once(folder: Path) -> None:
    metrics = bundle.read(folder).manifest.metrics
    named = [key for _, figures in words.grouped(metrics) for key in figures]
    assert sorted(named) == sorted(metrics)
    told = " ".join(
        meaning for _, figures in words.grouped(metrics) for key, meaning in figures.items() if "changed" in key
    )
    assert "_" not in told


def test_every_table_of_figures_stands_in_a_report_once() -> None:
    told = [title for section in CONTENTS for title in section.tables]
    assert sorted(told) == sorted(title for title in words.SECTIONS if not title.startswith(words.VALIDATION))
