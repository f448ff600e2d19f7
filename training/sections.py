"""What a report shows, in reading order."""

from typing import NamedTuple


class Section(NamedTuple):
    """Of the page; it is there if it has a picture, a table or a text."""

    heading: str
    says: str = ""  # how to read it
    pictures: tuple[str, ...] = ()  # patterns of files in the page's folder
    tables: tuple[str, ...] = ()  # titles of words.SECTIONS


TRAINED, MODEL, FIGURES, FAILS, FILES = "What was trained", "The model", "Figures", "Where it fails", "Where it lies"
CONTENTS = (
    Section(TRAINED),
    Section("Sample pictures", "What it learned from, as it sees them.", ("samples.png",)),
    Section(MODEL, "Its layers while it learned, what each hands on, and how many numbers it learned."),
    Section(
        "Learning",
        "Loss is what training makes smaller. Where that of validation, pictures it never learns from, no longer falls, "
        "more epochs only teach it the training pictures by heart.",
        ("charts/curves.png",),
    ),
    Section(FIGURES, "Measured on the published bundle, each with its 95 % interval."),
    Section(
        "Confusion matrix",
        "A row is a class, a column an answer; what lies off the diagonal is wrong.",
        ("charts/confusion.png",),
    ),
    Section(
        "By class",
        "Recall is the share of a class's pictures that are called so, precision the share of those called so that are; of "
        "each its own number of pictures.",
        ("charts/classes.png",),
        ("Test split, by class",),
    ),
    Section(
        "Changed pictures",
        "The same test pictures, as other scanners, displays and people might pass them on.",
        ("charts/changes.png",),
        ("Right on the changed test split",),
    ),
    Section(
        "Reliability",
        "Of answers that are 90 % sure, nine in ten should be right: then the line runs along the diagonal.",
        ("charts/reliability.png",),
    ),
    Section(
        "Held-out companions",
        "Real pictures of other places that are never learned from; those of preset robust set its threshold and temperature.",
        ("charts/heldout.png",),
        (
            "Held-out companions, by class",
            "Held-out companions, by origin",
            "Classes without companions, accepted on the validation split",
        ),
    ),
    Section(
        "Pictures from elsewhere",
        "Those of --external: nothing was learned from them and nothing chosen by them.",
        ("charts/elsewhere.png",),
        (
            "Pictures from elsewhere, by class",
            "Pictures from elsewhere, by source",
            "Views never trained on, accepted with a wrong label",
        ),
    ),
    Section(
        "Strangers",
        "Pictures of none of the classes, beside its own, of the classes, and views of these never trained on. The farther "
        "strangers and own lie apart, the nearer the ROC curve comes to the upper left corner, where all strangers are "
        "refused and none of the own.",
        ("charts/strangeness.png", "charts/roc.png"),
        ("Held-out strangers, accepted", "Strangers from elsewhere, accepted"),
    ),
    Section(
        "The surest mistakes",
        "Over each picture the answer, how sure it is, and the truth.",
        ("mistakes*.png",),
    ),
    Section(FAILS),
    Section(FILES),
)
