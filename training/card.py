"""MODEL_CARD.md: what the model is for, what it was measured to do, and where it fails."""

from collections.abc import Iterator
from typing import cast

from app.model.manifest import Input, Manifest, Metric
from training import words
from training.companions import Companions
from training.folders import NONE
from training.words import SECTIONS, VALIDATION, counted, percent

WORSE_IF_MORE = {"off_protocol_wrong_", "out_accepted_", "heldout_out_accepted_"}
UNSEEN = (
    "Expect less on pictures that nobody has looked at: the bundle before (88a0a3eb5d45), trained without companions, "
    "reached a mean recall of 99.2% on those from elsewhere and 88.7% on 692 unseen ones, and let 35% of 683 unseen "
    "strangers in instead of 7.6%; its calibration error there was 7.8%."
)

Counts = dict[str, dict[str, dict[str, int]]]  # of companions, by class, origin and part
Rows = dict[str, list[Metric | None]]


def write(manifest: Manifest, companions: Companions | None = None) -> str:
    """The card of a bundle, all of it from its manifest but for its companions' licences and credits."""
    training, data = manifest.training, manifest.data
    refusal, sections = REFUSES if manifest.ood else NEVER_REFUSES, _sections(manifest.metrics)
    return (
        "\n\n".join(
            [
                f"# {manifest.name}, preset {training['preset']}",
                f"Tells {', '.join(manifest.classes)} apart in grey pictures, shrunk to {manifest.input.size} × "
                f"{manifest.input.size} pixels.{_ct_window(manifest.input)} {refusal}",
                "**Not a medical device, not for diagnosis.** For sorting and checking archives of pictures whose headers are "
                "missing or wrong; a person decides.",
                f"Data: {data['source']}. {data['pictures']:,} pictures, split {data['split']} with seed {training['seed']}; "
                "`manifest.csv.gz` lists every picture and the part it played.",
                *_companions(manifest),
                "## Figures\n\nMeasured on the published bundle through the decoder and classifier of the service, "
                "each with its 95 % interval: over whole origins where it says of how many, else over pictures.\n\n"
                + _table(["value"], _headlines(manifest.metrics)),
                *(f"### {title}\n\n{_table([*SECTIONS[title].values()], rows)}" for title, rows in sections.items()),
                _failures(sections),
                f"## To repeat it\n\n`python -m training --preset {training['preset']} --seed {training['seed']} --split "
                f"{data['split']}`: {training['epochs']} epochs, {training['seconds']} seconds, {training['parameters']:,} "
                "parameters. The same machine and seed give the same weights; other processors round otherwise.",
                *_credits(companions),
            ]
        )
        + "\n"
    )


REFUSES = "Where it finds none of them it says so: `accepted` is false and `label` is null."
NEVER_REFUSES = "It cannot refuse: a picture of anything else is still given one of these labels."


def _ct_window(input: Input) -> str:
    if (window := input.ct_window) is None:
        return ""
    return f" It sees CT in Hounsfield units through a window of its own, centre {window.center:g}, width {window.width:g}."


def _companions(manifest: Manifest) -> Iterator[str]:
    """What was learned from beside the data set, and what those that were held out can tell."""
    if not (recorded := cast(dict[str, Counts], manifest.data.get("companions"))):
        return
    counts = recorded["counts"]
    parts = [f"{_sum(each, 'learned'):,} and {_sum(each, 'held_out'):,} of {name}" for name, each in counts.items()]
    parted = [name for name in counts if name != NONE and any(map(all, map(dict.values, counts[name].values())))]
    apart = f", and of {_listed(parted)} a fifth by picture or patient, which is not another hospital" if parted else ""
    yield (
        f"Companions, real pictures from other places, learned from and held out: {', '.join(parts)} of the classes. Held "
        f"out are whole origins{apart}. These chose threshold, temperature and recipe."
    )
    if without := [name for name in manifest.classes if name not in counts]:
        yield f"None shows {_listed(without)}: its acceptance is that of validation pictures, augmented and changed."
    yield UNSEEN


def _sum(origins: dict[str, dict[str, int]], part: str) -> int:
    return sum(counts[part] for counts in origins.values())


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _headlines(metrics: dict[str, Metric]) -> Rows:
    return {
        f"{title}: {meaning}": [metrics[key]]
        for title, figures in words.HEADLINES.items()
        for key, meaning in figures.items()
        if key in metrics and title != VALIDATION
    }


def _sections(metrics: dict[str, Metric]) -> dict[str, Rows]:
    """Those that have figures, by title; of each the rows, by what they are of."""
    found = {}
    for title, columns in SECTIONS.items():
        shown = words.names(columns, metrics)
        if shown and not title.startswith(VALIDATION):
            found[title] = {word: [metrics.get(prefix + end) for prefix in columns] for end, word in shown.items()}
    return found


def _failures(sections: dict[str, Rows]) -> str:
    """The worst class, change, source and kind of stranger, found in the figures."""
    worst = []
    for title, rows in sections.items():
        first = {name: metrics[0] for name, metrics in rows.items() if metrics[0]}
        pick = max if WORSE_IF_MORE & SECTIONS[title].keys() else min
        name = pick(first, key=lambda name: first[name].value)
        worst.append(f"- {title}: worst is {name}, {percent(first[name])} of {counted(first[name])}.")
    return "## Where it fails\n\n" + "\n".join(worst)


def _credits(companions: Companions | None) -> Iterator[str]:
    """A line an origin: whom to name for the pictures under each of its licences."""
    if companions is None:
        return
    lines = []
    for origin, pairs in companions.credits().items():
        named = {licence.split(";")[0]: dict[str, None]() for licence, _ in pairs}
        for licence, credit in pairs:
            named[licence.split(";")[0]][credit] = None
        lines.append(f"- {origin}: " + "; ".join(f"{licence}: {' · '.join(whom)}" for licence, whom in named.items()))
    yield "## Companions\n\n`training/companions.csv` has every address, and where a licence is stated."
    yield "\n".join(lines)


def _table(columns: list[str], rows: Rows) -> str:
    lines = [
        [title, *(percent(metric) if metric else "–" for metric in metrics), counted(metrics[0])]
        for title, metrics in rows.items()
    ]
    head, *body = (f"| {' | '.join(cells)} |" for cells in (["figure", *columns, "pictures"], *lines))
    return "\n".join([head, "|---" * (len(columns) + 2) + "|", *body])
