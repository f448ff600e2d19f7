"""What figures are called and how they are written, for people: in tables, in the summary of a training and on the card."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from app.model.manifest import Metric

Rows = dict[str, list[Metric | None]]  # by what they are of, a figure a column

VALIDATION = "Validation split"  # what begins so is not on the card: the recipe, and the best epoch, were chosen by it
HEADLINES = {  # by group, what a reader looks for first, in this order
    "Test split": {
        "test_accuracy": "right",
        "test_accepted": "accepted",
        "test_none_accepted": "own pictures of none of the classes, accepted",
        "test_confidence": "mean confidence",
        "test_calibration_error": "expected calibration error",
        "explanation_cost": "probability lost by hiding the fifth the explanation points at, beyond hiding another fifth",
    },
    "Test split, changed": {
        "changed_mean": "right, mean of the changes",
        "changed_worst": "right, worst change",
    },
    "Held-out companions": {
        "heldout_mean_recall": "mean recall of the classes that have some",
        "heldout_accuracy": "right",
        "heldout_accepted": "accepted",
        "heldout_calibration_error": "expected calibration error",
        "heldout_out_accepted": "strangers, accepted",
        "heldout_new_kinds_accepted": "strangers of kinds that none was trained on, accepted",
        "heldout_auroc": "AUROC of the strangeness, against strangers",
    },
    "Pictures from elsewhere": {
        "external_mean_recall": "mean recall of the classes that have some",
        "external_accuracy": "right",
        "external_accepted": "accepted",
        "external_calibration_error": "expected calibration error",
        "off_protocol_wrong": "views never trained on, accepted with a wrong label",
        "out_accepted": "strangers, accepted",
        "auroc": "AUROC of the strangeness, against strangers",
    },
    VALIDATION: {
        "val_accuracy": "right",
        "val_accepted": "accepted",
        "val_confidence": "mean confidence",
        "val_calibration_error": "expected calibration error",
    },
}


def _three(own: str, right: str, of: str) -> dict[str, str]:
    return {
        f"{own}{right}_": "right",
        f"{own}accepted_{of}": "accepted",
        f"{own}calibration_error_{of}": "calibration error",
    }


SECTIONS = {  # by title: how the figures of a column begin, and what it is headed
    "Test split, by class": {"test_recall_": "recall", "test_precision_": "precision"},
    "Right on the changed test split": {"changed_": "value"},
    "Held-out companions, by class": _three("heldout_", "recall", ""),
    "Held-out companions, by origin": _three("heldout_", "accuracy", "of_"),
    "Held-out strangers, accepted": {"heldout_out_accepted_": "value"},
    "Classes without companions, accepted on the validation split": {
        "val_augmented_accepted_": "augmented",
        "val_changed_accepted_": "changed, mean of the changes",
    },
    "Pictures from elsewhere, by class": _three("external_", "recall", ""),
    "Pictures from elsewhere, by source": _three("external_", "accuracy", "of_"),
    "Views never trained on, accepted with a wrong label": {"off_protocol_wrong_": "value"},
    "Strangers from elsewhere, accepted": {"out_accepted_": "value"},
    f"{VALIDATION}, by class": {"val_recall_": "recall", "val_precision_": "precision"},
}
WORSE_IF_MORE = {"off_protocol_wrong_", "out_accepted_", "heldout_out_accepted_"}
CHANGES = {  # of the others the key is a word
    "background_black": "black background",
    "background_black_stretched": "black background, stretched",
    "low_contrast": "low contrast",
    "gamma_half": "gamma 0.5",
    "gamma_2": "gamma 2",
    "turned_90": "turned by 90°",
    "turned_180": "turned by 180°",
    "jpeg_20": "JPEG, quality 20",
}


def names(columns: dict[str, str], keys: Collection[str]) -> dict[str, str]:
    """What a section's figures among these are of, such as classes: the ends of their keys, and each in words."""
    first, headlines = next(iter(columns)), {key for figures in HEADLINES.values() for key in figures}
    ends = [key.removeprefix(first) for key in keys if key.startswith(first) and key not in headlines]
    return {end: CHANGES.get(end, end) if first == "changed_" else end for end in ends}


def grouped(keys: Collection[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Figures under their headings, each with its words."""
    for title, figures in HEADLINES.items():
        yield title, {key: words for key, words in figures.items() if key in keys}
    for title, columns in SECTIONS.items():
        shown = names(columns, keys)
        for prefix, column in columns.items():
            heading = title if len(columns) == 1 else f"{title}: {column}"
            yield heading, {prefix + end: words for end, words in shown.items() if prefix + end in keys}


def headlines(metrics: Mapping[str, Metric]) -> Rows:
    """A row a figure that readers look for first, those of the validation split left out."""
    return {
        f"{title}: {meaning}": [metrics[key]]
        for title, figures in HEADLINES.items()
        for key, meaning in figures.items()
        if key in metrics and title != VALIDATION
    }


def sections(metrics: Mapping[str, Metric]) -> dict[str, Rows]:
    """Those that have figures, by title; of each the rows, by what they are of. The validation split is left out."""
    found = {}
    for title, columns in SECTIONS.items():
        shown = names(columns, metrics)
        if shown and not title.startswith(VALIDATION):
            found[title] = {word: [metrics.get(prefix + end) for prefix in columns] for end, word in shown.items()}
    return found


def failures(metrics: Mapping[str, Metric]) -> Iterator[str]:
    """The worst class, change, source and kind of stranger, found in the figures."""
    for title, rows in sections(metrics).items():
        for at, (prefix, column) in enumerate(SECTIONS[title].items()):
            found = {name: metric for name, row in rows.items() if (metric := row[at])}
            if found and (at == 0 or column == "precision"):
                name = (max if prefix in WORSE_IF_MORE else min)(found, key=lambda name: found[name].value)
                worst = f"worst {column}" if column in ("recall", "precision") else "worst"
                yield f"{title}: {worst} is {name}, {percent(found[name])} of {counted([found[name]])}."


def percent(metric: Metric) -> str:
    return f"{metric.value:.2%} ({metric.low * 100:.2f}–{metric.high * 100:.2f})"


def counted(metrics: Iterable[Metric | None]) -> str:
    """How many pictures are behind figures, and how many origins behind their intervals; of each where they differ."""
    found = [f"{one.n:,} of {one.origins} origins" if one.origins else f"{one.n:,}" for one in metrics if one]
    return ", ".join(dict.fromkeys(found))


def worst_class(classes: list[str], metrics: Mapping[str, Metric]) -> tuple[str, Metric]:
    """The class of the lowest recall on the test split."""
    recalls = {name: metrics[f"test_recall_{name}"] for name in classes}
    return min(recalls.items(), key=lambda item: item[1].value)
