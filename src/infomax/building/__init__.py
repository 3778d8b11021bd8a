"""From a recipe to the objects it names: encoders, the graph of views, edges with their critics.

Every part is a *kind* and options; the options of a kind are the arguments of its constructor,
checked by pydantic against that very signature. A new kind is one more entry of these tables.
"""

from infomax.building.kinds import AUGMENTATIONS, CRITICS, ENCODERS, MARGINALS, make, named_bound
from infomax.building.study import Study, build

__all__ = [
    "AUGMENTATIONS",
    "CRITICS",
    "ENCODERS",
    "MARGINALS",
    "Study",
    "build",
    "make",
    "named_bound",
]
