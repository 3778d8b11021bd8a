"""From a recipe to the objects it names: encoders, views, and edges with their critics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from infomax._errors import InfomaxError
from infomax.building.graph import views_of
from infomax.building.kinds import (
    CRITICS,
    ENCODERS,
    MARGINALS,
    known,
    make,
    named_bound,
)
from infomax.objective import I, Objective
from infomax.recipe import EdgeSpec, Recipe
from infomax.views import View


@dataclass(frozen=True)
class Study:
    """What a recipe stands for: an objective, and its views and encoders by name."""

    objective: Objective
    views: Mapping[str, View]
    encoders: Mapping[str, nn.Module]


def build(recipe: Recipe) -> Study:
    """Make the graph of views and the objective of a recipe; its seed decides the first weights.

    Raises:
        InfomaxError: an unknown kind, encoder or view, an option that does not fit, a cycle.

    Example:
        >>> from infomax import recipe
        >>> build(recipe.read("mnist-halves")).objective.terms[0].edge.bound.name
        'InfoNCE'
    """
    with torch.random.fork_rng():
        torch.manual_seed(recipe.train.seed)
        modules = {
            name: make(ENCODERS, part, f"encoders.{name}") for name, part in recipe.encoders.items()
        }
    views = views_of(recipe, modules)
    objective = Objective()
    for index, spec in enumerate(recipe.maximize):
        objective = objective + spec.weight * _edge(spec, views, f"maximize.{index}")
    for index, spec in enumerate(recipe.minimize):
        objective = objective - spec.weight * _edge(spec, views, f"minimize.{index}")
    objective.check()
    for name in recipe.evaluate.named:
        known(name, views, "evaluate", "a view")
        _trained(views[name], objective)
    return Study(objective, views, modules)


def _trained(judged: View, objective: Objective) -> None:
    """Refuse to judge a view by an encoder that no edge trains."""
    used = {id(module) for end in objective.views for _, module in end.encoders}
    idle = [view for view, module in judged.encoders if id(module) not in used]
    if idle:
        raise InfomaxError(
            wanted="evaluate: views by encoders that an edge trains",
            got=f"'{judged}', by way of '{idle[0]}', whose encoder is on no edge",
            fix="judge another view, or add an edge",
        )


def _edge(spec: EdgeSpec, views: Mapping[str, View], where: str) -> Objective:
    for end in spec.between:
        known(end, views, f"{where}.between", "a view")
    bound = named_bound(spec.bound, f"{where}.bound")
    kinds = MARGINALS if bound.needs == "densities" else CRITICS
    key, other = ("marginal", "critic") if bound.needs == "densities" else ("critic", "marginal")
    if getattr(spec, other) is not None:
        raise InfomaxError(
            wanted=f"{where}: `{key}`, which the bound {bound.name} takes",
            got=f"`{other}`",
            fix=f"take `{other}` out, or choose another bound",
        )
    if spec.given is not None:
        known(spec.given, views, f"{where}.given", "a view")
    part = getattr(spec, key)
    module = None if part is None else make(kinds, part, f"{where}.{key}")
    a, b = (views[end] for end in spec.between)
    positions = spec.ahead if spec.ahead is not None else spec.positions
    return I(
        a,
        b,
        bound=bound,
        critic=module,
        positions=positions,
        negatives=spec.negatives,
        given=None if spec.given is None else views[spec.given],
    )
