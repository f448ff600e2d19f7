"""MODEL_CARD.md: what the model is for, what it was measured to do, and where it fails."""

from collections.abc import Iterator

from app.model.manifest import Input, Manifest, Metric

HEADLINES = {  # what a reader looks for first, in this order
    "test_accuracy": "right on the test split",
    "test_accepted": "test split, accepted",
    "test_none_accepted": "test split, own pictures of none of the classes, accepted",
    "test_calibration_error": "test split, expected calibration error",
    "changed_mean": "right on the changed test split, mean of the changes",
    "changed_worst": "right on the changed test split, worst change",
    "external_mean_recall": "pictures from elsewhere, mean recall of the classes",
    "external_accepted": "pictures from elsewhere, accepted",
    "external_calibration_error": "pictures from elsewhere, expected calibration error",
    "off_protocol_wrong": "views never trained on, accepted with a wrong label",
    "out_accepted": "pictures of none of the classes, accepted",
    "explanation_cost": "probability lost by hiding the fifth the explanation points at, beyond hiding another fifth",
    "auroc": "AUROC of the strangeness, elsewhere against none of the classes",
}
SECTIONS = {
    "test_recall_": "Recall on the test split",
    "changed_": "Right on the changed test split",
    "external_recall_": "Recall on pictures from elsewhere",
    "external_accuracy_": "Right by source, elsewhere",
    "off_protocol_wrong_": "Views never trained on, accepted with a wrong label",
    "out_accepted_": "Pictures of none of the classes, accepted",
}


def write(manifest: Manifest) -> str:
    """The card of a bundle, all of it from its manifest."""
    training, data = manifest.training, manifest.data
    headlines = {title: manifest.metrics[key] for key, title in HEADLINES.items() if key in manifest.metrics}
    refusal = REFUSES if manifest.ood else NEVER_REFUSES
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
                "## Figures\n\nMeasured on the published bundle through the decoder and classifier of the service, "
                "each with its 95 % interval.\n\n" + _table(headlines),
                *(f"### {title}\n\n{_table(rows)}" for _, title, rows in _sections(manifest.metrics)),
                _failures(manifest.metrics),
                f"## To repeat it\n\n`python -m training --preset {training['preset']} --seed {training['seed']} --split "
                f"{data['split']}`: {training['epochs']} epochs, {training['seconds']} seconds, {training['parameters']:,} "
                "parameters. The same machine and seed give the same weights; other processors round otherwise.",
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


def _sections(metrics: dict[str, Metric]) -> Iterator[tuple[str, str, dict[str, Metric]]]:
    """Prefix, title and figures of every section that has some, these by what follows the prefix."""
    for prefix, title in SECTIONS.items():
        inside = [key for key in metrics if key.startswith(prefix) and key not in HEADLINES]
        if inside:
            yield prefix, title, {key.removeprefix(prefix): metrics[key] for key in inside}


def _failures(metrics: dict[str, Metric]) -> str:
    """The worst class, change, source and kind of stranger, found in the figures."""
    worst = []
    for prefix, title, rows in _sections(metrics):
        pick = max if prefix in ("off_protocol_wrong_", "out_accepted_") else min
        name = pick(rows, key=lambda name: rows[name].value)
        worst.append(f"- {title}: worst is {name}, {percent(rows[name])} of {rows[name].n:,}.")
    return "## Where it fails\n\n" + "\n".join(worst)


def _table(rows: dict[str, Metric]) -> str:
    lines = [f"| {title} | {percent(metric)} | {metric.n:,} |" for title, metric in rows.items()]
    return "\n".join(["| figure | value (95 % interval) | pictures |", "|---|---|---|", *lines])


def percent(metric: Metric) -> str:
    return f"{metric.value:.2%} ({metric.low:.2%} – {metric.high:.2%})"
