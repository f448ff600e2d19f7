"""A recipe is a file here, read from top to bottom, and its line below: it imports Keras, which takes seconds."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from app.imaging import RESAMPLE
from app.model.manifest import CtWindow, Input

if TYPE_CHECKING:
    from training.recipes.recipe import Recipe

INPUTS = {  # by the recipe's name
    "article": Input(size=32, resample=RESAMPLE),
    "robust": Input(size=64, resample=RESAMPLE, ct_window=CtWindow(center=0, width=1000)),  # air to bone
}
DEFAULT = "robust"


def load(name: str, epochs: int | None = None, steps: int | None = None) -> "Recipe":
    """The recipe, with another number of epochs or of steps in each where one is given."""
    recipe: Recipe = import_module(f"{__name__}.{name}").RECIPE
    return replace(recipe, max_epochs=epochs or recipe.max_epochs, steps=steps or recipe.steps)
