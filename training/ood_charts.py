"""Charts of how strange the classes' own pictures and strangers look to the bundle, and how well that tells them apart."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from app.model.classifier import Floats
from app.model.manifest import Metric
from training import plotting
from training.evaluate import Evaluation
from training.figures import Elsewhere, Scores
from training.plotting import Place, elsewhere, figure, save

BINS = np.linspace(0, 1, 41).tolist()
GROUPS = {"in": "own", "off_protocol": "other views", "out": "strangers"}
COLOURS = {"off_protocol": plotting.OTHER_VIEWS, "out": plotting.STRANGERS}  # that of the place for its own
GOOD = 0.9  # an AUROC beyond which a curve lies in the corner, which is then shown larger


def strangeness(found: Evaluation, path: Path) -> None:
    """A panel for the test split and for each place, its groups of pictures apart."""
    shown = {"test split": ({"in": found.test}, plotting.TEST)}
    for place, judged in elsewhere(found).items():
        groups = {group: judged.only(group) for group in GROUPS if group in judged.pictures.groups}
        shown[place.name] = groups, place.colour
    drawn, panels = figure(
        "How strange pictures look to the model, of each kind their share",
        1 + 2.1 * len(shown),
        len(shown),
        sharex=True,
    )
    for axis, (where, (groups, colour)) in zip(panels, shown.items(), strict=True):
        for group, scores in groups.items():
            _histogram(axis, scores, GROUPS[group], COLOURS.get(group, colour), filled=group == "in")
        plotting.log_scale(axis, percent=True)
        least = min(1 / len(scores.labels) for scores in groups.values())
        axis.set(ylabel=where, ylim=(least / 2, 2))
        axis.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
            fontsize=9,
            borderpad=0.2,
            columnspacing=1.2,
            handlelength=1.4,
        )
    given = found.test.answers.ood_score is not None
    axis.set(
        xlabel="strangeness (ood_score); beyond the dashed line a picture is refused"
        if given
        else "one minus the confidence, for want of a strangeness"
    )
    save(drawn, path)


def _histogram(axis: Axes, scores: Scores, name: str, colour: str, filled: bool) -> None:
    count, told = len(scores.labels), ""
    if scores.answers.ood_score is not None:
        axis.axvline(scores.threshold, color=plotting.QUIET, lw=1, ls="--")
        told = f", {scores.accepted.mean():.1%} accepted"
    axis.hist(
        scores.ood_score,
        BINS,
        weights=np.full(count, 1 / count),
        histtype="stepfilled" if filled else "step",
        alpha=0.55 if filled else 1,
        color=colour,
        lw=1.8,
        label=f"{count:,} {name}{told}",
    )


def roc(found: Evaluation, path: Path) -> None:
    """A curve for each place that has both to tell apart, and where the bundle's threshold stands on it."""
    shown = {place: judged for place, judged in elsewhere(found).items() if place.auroc in found.metrics}
    if not shown:
        return
    drawn, axis, room = plotting.square("ROC curve: strangers refused, and own pictures refused with them")
    for place, judged in shown.items():
        _curve(axis, place, judged, found.metrics[place.auroc])
    axis.plot([0, 1], [0, 1], color=plotting.QUIET, lw=1, ls="--", label="chance")
    axis.set(xlabel="own pictures refused", ylabel="strangers refused", xlim=(-0.02, 1), ylim=(0, 1.02))
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    if all(found.metrics[place.auroc].value > GOOD for place in shown):
        corner = axis.inset_axes((0.4, 0.12, 0.57, 0.57), xlim=(-0.004, 0.2), ylim=(0.8, 1.004))
        for line in axis.get_lines():
            corner.plot(*line.get_data(), color=line.get_color(), ls=line.get_linestyle(), marker=line.get_marker())
        corner.xaxis.set_major_formatter(PercentFormatter(1, 0))
        corner.yaxis.set_major_formatter(PercentFormatter(1, 0))
        axis.indicate_inset_zoom(corner, edgecolor=plotting.QUIET)
    plotting.legend(axis, room)
    save(drawn, path)


def _curve(axis: Axes, place: Place, judged: Elsewhere, auroc: Metric) -> None:
    own, strangers = judged.only("in"), judged.only("out")
    label = (
        f"{place.name},\n{len(own.labels):,} own and {len(strangers.labels):,} strangers:\n"
        f"AUROC {auroc.value:.2%} ({auroc.low * 100:.2f}–{auroc.high * 100:.2f})"
    )
    axis.plot(*_refused(own.ood_score, strangers.ood_score), color=place.colour, label=label)
    if own.answers.ood_score is not None:
        at = [np.mean(~scores.accepted) for scores in (own, strangers)]
        told = f"at the threshold {at[1]:.1%} of these\nstrangers and {at[0]:.1%} of the own"
        axis.plot(*at, "D", color=place.colour, markersize=8, label=told)


def _refused(own: Floats, strangers: Floats) -> list[npt.NDArray[np.floating]]:
    """The shares that every threshold refuses, the highest threshold first."""
    scores = np.unique(np.concatenate([own, strangers]))
    thresholds = np.concatenate([[np.inf], scores[::-1], [-np.inf]])
    return [1 - np.searchsorted(np.sort(some), thresholds, "right") / len(some) for some in (own, strangers)]
