"""Recipes: everything a training run is, as data. A recipe is a table in ``recipes.json``; ``extends`` names its
parent.

Learning rate and decay are in mean-gradient units: ``g = grad(mean loss) + weight_decay * w`` and a step of
``learning_rate`` along it. What a table leaves out is off, so a recipe that recombines what exists needs no code.
Standard library only.
"""

from resnet9.errors import RecipeError
from resnet9.recipe.files import ABLATIONS, DECLARATION, RECIPES_FILE, file_of, from_table, load, load_all
from resnet9.recipe.keys import (
    GROUPS,
    WIDTHS,
    Average,
    Cutmix,
    Group,
    Jitter,
    LearningRate,
    Muon,
    Published,
    Recipe,
    Whitening,
)

__all__ = [
    "ABLATIONS",
    "DECLARATION",
    "GROUPS",
    "RECIPES_FILE",
    "WIDTHS",
    "Average",
    "Cutmix",
    "Group",
    "Jitter",
    "LearningRate",
    "Muon",
    "Published",
    "Recipe",
    "RecipeError",
    "Whitening",
    "file_of",
    "from_table",
    "load",
    "load_all",
]
