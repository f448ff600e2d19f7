"""A recipe is a file here, read from top to bottom, and its line below: it imports Keras, which takes seconds."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from app.imaging import RESAMPLE
from app.model.manifest import CtWindow, Input
from training import DataError

if TYPE_CHECKING:
    from training.recipes.recipe import Recipe

INPUTS = {  # by the recipe's name
    "article": Input(size=32, resample=RESAMPLE),
    "robust": Input(size=64, resample=RESAMPLE, ct_window=CtWindow(center=0, width=1000)),  # air to bone
}
SMALLEST_BATCH = {"robust": 16}  # strangers, companions, a drawing of each region and a picture of the data set
DEFAULT = "robust"


def check(name: str, batch_size: int | None) -> None:
    """Raises DataError for a name that no recipe has, and for batches too small for the one that has it."""
    if name not in INPUTS:
        raise DataError(f"There is no preset {name}; there is {', '.join(INPUTS)}.")
    if batch_size and batch_size < (least := SMALLEST_BATCH.get(name, 1)):
        raise DataError(f"A batch of preset {name} has {least} pictures or more, not {batch_size}.")


def load(
    name: str,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
) -> "Recipe":
    """The recipe, with what is given in place of its own."""
    own: Recipe = import_module(f"{__name__}.{name}").RECIPE
    recipe = own.with_batches_of(batch_size or own.batch_size)
    return replace(
        recipe,
        max_epochs=epochs or own.max_epochs,
        steps=steps or own.steps,
        learning_rate=learning_rate or own.learning_rate,
    )
