"""MODEL_CARD.md: what the model is for, what it was measured to do, and where it fails."""

from collections.abc import Iterator
from typing import cast

from app.model.manifest import Input, Manifest
from training import words
from training.companions import Companions
from training.folders import NONE
from training.words import SECTIONS, Rows, counted, percent

UNSEEN = (
    "Expect less on pictures that nobody has looked at: the bundle before (88a0a3eb5d45), trained without companions, "
    "reached a mean recall of 99.2% on those from elsewhere and 88.7% on 692 unseen ones, and let 35% of 683 unseen "
    "strangers in instead of 7.6%; its calibration error there was 7.8%."
)

Counts = dict[str, dict[str, dict[str, int]]]  # of companions, by class, origin and part


def write(manifest: Manifest, companions: Companions | None = None) -> str:
    """The card of a bundle, all of it from its manifest but for its companions' licences and credits."""
    training, data = manifest.training, manifest.data
    refusal, figures = REFUSES if manifest.ood else NEVER_REFUSES, manifest.metrics
    return (
        "\n\n".join(
            [
                f"# {manifest.name}, preset {training['preset']}",
                *([f"The preset was changed: `{' '.join(changed)}`."] if (changed := [*overrides(manifest)]) else []),
                f"Tells {', '.join(manifest.classes)} apart in grey pictures, shrunk to {manifest.input.size} × "
                f"{manifest.input.size} pixels.{_ct_window(manifest.input)} {refusal}",
                "**Not a medical device, not for diagnosis.** For sorting and checking archives of pictures whose headers are "
                "missing or wrong; a person decides.",
                f"Data: {data['source']}. {data['pictures']:,} pictures, split {data['split']} with seed {training['seed']}; "
                "`manifest.csv.gz` lists every picture and the part it played.",
                *_companions(manifest),
                "## Figures\n\nMeasured on the published bundle through the decoder and classifier of the service, "
                "each with its 95 % interval: over whole origins where it says of how many, else over pictures. Recall is of the "
                "pictures of a class, precision of those that were called so; where they differ both are counted.\n\n"
                + _table(["value"], words.headlines(figures)),
                *(
                    f"### {title}\n\n{_table([*SECTIONS[title].values()], rows)}"
                    for title, rows in words.sections(figures).items()
                ),
                "## Where it fails\n\n" + "\n".join(f"- {line}" for line in words.failures(figures)),
                f"## To repeat it\n\n`{command(manifest)}`: {trained(manifest)}. "
                "The same machine and seed give the same weights; other processors round otherwise.",
                *_credits(companions),
            ]
        )
        + "\n"
    )


REFUSES = "Where it finds none of them it says so: `accepted` is false and `label` is null."
NEVER_REFUSES = "It cannot refuse: a picture of anything else is still given one of these labels."


def overrides(manifest: Manifest) -> Iterator[str]:
    """What was given in place of the preset's own, each as it was given."""
    for option, value in cast(dict[str, int | float], manifest.training.get("overrides", {})).items():
        yield f"{option} {value}"


def command(manifest: Manifest) -> str:
    """What repeats a training, for the same pictures."""
    training, data = manifest.training, manifest.data
    named = f"python -m training --preset {training['preset']} --seed {training['seed']} --split {data['split']}"
    without = ["--companions none"] if manifest.ood and "companions" not in data else []
    return " ".join([named, *overrides(manifest), *without])


def trained(manifest: Manifest) -> str:
    """How long, and how many numbers were learned."""
    training = manifest.training
    kept = training.get("kept_epoch", training["epochs"])  # older bundles do not say
    chosen = "" if kept == training["epochs"] else f", of which epoch {kept} was kept"
    unit = "epoch" if training["epochs"] == 1 else "epochs"
    return f"{training['epochs']} {unit}{chosen}, {training['seconds']} seconds, {training['parameters']:,} parameters"


def _ct_window(input: Input) -> str:
    if (window := input.ct_window) is None:
        return ""
    return f" It sees CT in Hounsfield units through a window of its own, centre {window.center:g}, width {window.width:g}."


def companions(manifest: Manifest) -> str:
    """How many of each class were learned from and held out."""
    counts = cast(dict[str, Counts], manifest.data["companions"])["counts"]
    parts = [f"{_sum(each, 'learned'):,} and {_sum(each, 'held_out'):,} of {name}" for name, each in counts.items()]
    return f"real pictures from other places, learned from and held out: {', '.join(parts)} of the classes"


def _companions(manifest: Manifest) -> Iterator[str]:
    """What was learned from beside the data set, and what those that were held out can tell."""
    if not (recorded := cast(dict[str, Counts], manifest.data.get("companions"))):
        return
    counts = recorded["counts"]
    parted = [name for name in counts if name != NONE and any(map(all, map(dict.values, counts[name].values())))]
    apart = f", and of {_listed(parted)} a fifth by picture or patient, which is not another hospital" if parted else ""
    yield (
        f"Companions, {companions(manifest)}. Held out are whole origins{apart}. These chose threshold, temperature and "
        "recipe."
    )
    if without := [name for name in manifest.classes if name not in counts]:
        yield f"None shows {_listed(without)}: its acceptance is that of validation pictures, augmented and changed."
    yield UNSEEN


def _sum(origins: dict[str, dict[str, int]], part: str) -> int:
    return sum(counts[part] for counts in origins.values())


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


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
        [title, *(percent(metric) if metric else "–" for metric in metrics), counted(metrics)]
        for title, metrics in rows.items()
    ]
    head, *body = (f"| {' | '.join(cells)} |" for cells in (["figure", *columns, "pictures"], *lines))
    return "\n".join([head, "|---" * (len(columns) + 2) + "|", *body])
