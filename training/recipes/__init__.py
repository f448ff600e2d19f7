"""A recipe is a file here, read from top to bottom, and its line below: it imports Keras, which takes seconds."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.recipes.recipe import Recipe

INPUT_SIDES = {  # pixels, by the recipe's name
    "article": 32,
    "robust": 64,
}
DEFAULT = "robust"


def load(name: str) -> "Recipe":
    recipe: Recipe = import_module(f"{__name__}.{name}").RECIPE
    return recipe
