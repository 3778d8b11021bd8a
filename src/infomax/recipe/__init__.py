"""A recipe: one paper's choice of data, encoders, views, edges, critics and bounds, as YAML.

`read` checks the file against the schema and names the key that is wrong; `build` makes the
graph of views and the objective from it. Nothing else in infomax knows what a paper is.
"""

from infomax.recipe.reading import check, explained, parse, read, shipped, text_of, write
from infomax.recipe.schema import (
    EdgeSpec,
    EvaluateSpec,
    Part,
    Recipe,
    TrainSpec,
    ViewSpec,
    WindowSpec,
    ZeroShotSpec,
)

__all__ = [
    "EdgeSpec",
    "EvaluateSpec",
    "Part",
    "Recipe",
    "TrainSpec",
    "ViewSpec",
    "WindowSpec",
    "ZeroShotSpec",
    "check",
    "explained",
    "parse",
    "read",
    "shipped",
    "text_of",
    "write",
]
