"""One look for all charts: sizes, colours, titles, and how a name or a share stands on an axis."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from PIL import Image

from training.evaluate import Evaluation
from training.figures import Elsewhere

WIDTH, DPI = 8, 150  # inches, and dots an inch: 1,200 pixels, as wide as the page that shows them
mpl.rcParams.update(
    {
        "text.parse_math": False,  # a class or a folder may have two dollar signs in its name
        "font.size": 10,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#8a9499",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e3e8e8",
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
    }
)
# Of the same thing in every chart; told apart by the colour-blind (Okabe and Ito).
TRAINING, VALIDATION, TEST, HELD_OUT, ELSEWHERE = "#7d878c", "#56b4e9", "#0072b2", "#d55e00", "#009e73"
OTHER_VIEWS, STRANGERS, QUIET = "#cc79a7", "#1b2426", "#5b676b"
MAX_NAME = 28  # characters of a class or a kind on an axis


class Place(NamedTuple):
    """Where pictures that are not the data set's come from."""

    file: str  # how files about it are called
    name: str
    colour: str
    error: str  # its figures: of calibration …
    auroc: str  # … and of the strangeness


PLACES = {  # by where an evaluation has them
    "held_out": Place("heldout", "held-out companions", HELD_OUT, "heldout_calibration_error", "heldout_auroc"),
    "external": Place("elsewhere", "pictures from elsewhere", ELSEWHERE, "external_calibration_error", "auroc"),
}


def elsewhere(found: Evaluation) -> dict[Place, Elsewhere]:
    """What was judged beside the data set."""
    return {place: judged for field, place in PLACES.items() if (judged := getattr(found, field))}


def figure(title: str, height: float, rows: int = 1, columns: int = 1, **more: Any) -> tuple[Figure, list[Axes]]:
    """An empty chart of `height` inches and its panels, row by row; `more` is for `plt.subplots`."""
    size = (WIDTH, height)
    drawn, panels = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **more)
    drawn.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return drawn, [*panels.flat]


def square(title: str) -> tuple[Figure, Axes, Axes]:
    """A chart with a square panel, and room beside it for the legend."""
    drawn, (axis, room) = figure(title, 5, 1, 2, width_ratios=(5, 3))
    room.axis("off")
    return drawn, axis, room


def legend(axis: Axes, room: Axes) -> None:
    """That of one panel in the room of another."""
    room.legend(*axis.get_legend_handles_labels(), loc="upper left", borderpad=0, labelspacing=1)


def log_scale(axis: Axes, percent: bool = False) -> None:
    """Upwards, its numbers written out."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1,) if percent else (1, 3)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{100 * at:g}%" if percent else f"{at:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def short(name: str, longest: int = MAX_NAME) -> str:
    """As it is, or without its middle: names of a kind mostly differ at their ends."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[1 - half :]}"


def save(drawn: Figure, path: Path) -> None:
    drawn.savefig(png := io.BytesIO(), dpi=DPI)
    plt.close(drawn)
    Image.open(png).convert("RGB").quantize().save(
        path, optimize=True
    )  # to a third of the bytes, which git keeps for good
