"""From a recipe to the objects it names: encoders, views, and edges with their critics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import nn

from infomax._errors import InfomaxError
from infomax.building.code import code_of, own_encoder
from infomax.building.graph import views_of
from infomax.building.kinds import (
    CRITICS,
    CRITICS_OF_MANY,
    ENCODERS,
    MARGINALS,
    known,
    make,
    named_bound,
)
from infomax.objective import TC, I, Objective
from infomax.recipe import EdgeSpec, Part, Recipe
from infomax.views import View


@dataclass(frozen=True)
class Study:
    """What a recipe stands for: an objective, and its views and encoders by name."""

    objective: Objective
    views: Mapping[str, View]
    encoders: Mapping[str, nn.Module]


def build(recipe: Recipe, *, allow_code: bool = False) -> Study:
    """Make the graph of views and the objective of a recipe; its seed decides the first weights.

    Args:
        recipe: what to make.
        allow_code: whether encoders named as ``python: package.module:Class`` may be imported.

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
            name: _encoder(part, f"encoders.{name}", allow_code)
            for name, part in recipe.encoders.items()
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


def _encoder(part: Part, where: str, allow_code: bool) -> nn.Module:
    code = code_of(part)
    if code is not None:
        return own_encoder(*code, where, allow_code=allow_code)
    made: nn.Module = make(ENCODERS, part, where)
    return made


def _trained(judged: View, objective: Objective) -> None:
    """Refuse to judge a view by an encoder that no edge trains."""
    used = {id(module) for end in objective.views for _, module in end.encoders}
    idle = [
        view
        for view, module in judged.encoders
        if id(module) not in used and next(module.parameters(), None) is not None
    ]
    if idle:
        raise InfomaxError(
            wanted="evaluate: views by encoders that an edge trains",
            got=f"'{judged}', by way of '{idle[0]}', whose encoder is on no edge",
            fix="judge another view, or add an edge",
        )


def _edge(spec: EdgeSpec, views: Mapping[str, View], where: str) -> Objective:
    """The term, or terms, that one entry of a recipe stands for."""
    for end in spec.between:
        known(end, views, f"{where}.between", "a view")
    if spec.given is not None:
        known(spec.given, views, f"{where}.given", "a view")
    ends = [views[end] for end in spec.between]
    if len(ends) > 2 and spec.edges == "joint":
        return _joint(spec, ends, where)
    given = None if spec.given is None else views[spec.given]
    pairs = combinations(ends, 2)
    return sum((_pair(spec, a, b, given, where) for a, b in pairs), Objective())


def _joint(spec: EdgeSpec, ends: list[View], where: str) -> Objective:
    of_pairs = {"marginal": spec.marginal, "ahead": spec.ahead, "given": spec.given}
    given = [f"{key}: {value}" for key, value in of_pairs.items() if value is not None]
    given += [f"positions: {spec.positions}"] * (spec.positions != "all")
    given += [f"negatives: {spec.negatives}"] * (spec.negatives != "batch")
    if given:
        raise InfomaxError(
            wanted=f"{where}: bound, critic and weight of one edge of {len(ends)} views",
            got=", ".join(given),
            fix="take these out, or write `edges: all-pairs`: an edge for each pair",
        )
    part = spec.critic or "multilinear"
    options = {"kind": part} if isinstance(part, str) else dict(part)
    critic = make(CRITICS_OF_MANY, {"views": len(ends), **options}, f"{where}.critic")
    return TC(*ends, bound=named_bound(spec.bound, f"{where}.bound"), critic=critic)


def _pair(spec: EdgeSpec, a: View, b: View, given: View | None, where: str) -> Objective:
    bound = named_bound(spec.bound, f"{where}.bound")
    kinds = MARGINALS if bound.needs == "densities" else CRITICS
    key, other = ("marginal", "critic") if bound.needs == "densities" else ("critic", "marginal")
    if getattr(spec, other) is not None:
        raise InfomaxError(
            wanted=f"{where}: `{key}`, which the bound {bound.name} takes",
            got=f"`{other}`",
            fix=f"take `{other}` out, or choose another bound",
        )
    part = getattr(spec, key)
    steps = spec.ahead if isinstance(spec.ahead, list) else [spec.ahead]
    objective = Objective()
    for ahead in steps:
        module = None if part is None else make(kinds, part, f"{where}.{key}")
        positions = spec.positions if ahead is None else ahead
        edge = I(
            a,
            b,
            bound=bound,
            critic=module,
            positions=positions,
            negatives=spec.negatives,
            given=given,
        )
        objective = objective + (1 / len(steps)) * edge
    return objective
