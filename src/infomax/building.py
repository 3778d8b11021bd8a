"""From a recipe to the objects it names: encoders, the graph of views, edges with their critics.

Every part is a *kind* and options; the options of a kind are the arguments of its constructor,
checked by pydantic against that very signature. A new kind is one more entry of these tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import torch
from pydantic import ConfigDict, ValidationError, create_model
from torch import nn

from infomax import augment, bounds, critics, encoders, posteriors
from infomax._errors import InfomaxError
from infomax.bounds import Bound
from infomax.data import DataSpec
from infomax.objective import I, Objective
from infomax.recipe import EdgeSpec, Part, Recipe, ViewSpec, WindowSpec, explained
from infomax.slices import Columns, Crop, Half, Window
from infomax.views import Context, View

ENCODERS = {
    "convnet": encoders.ConvNet,
    "gaussian": posteriors.GaussianHead,
    "mlp": encoders.MLP,
}
AUGMENTATIONS = {
    "blur": augment.blur,
    "crop_flip": augment.crop_flip,
    "drop": augment.drop,
    "erase": augment.erase,
    "jitter": augment.jitter,
    "noise": augment.noise,
}
CRITICS = {
    "bilinear": critics.Bilinear,
    "cosine": critics.Cosine,
    "joint": critics.Joint,
    "separable": critics.Separable,
}
MARGINALS = {
    "flow": posteriors.FlowMarginal,
    "gaussian": posteriors.GaussianMarginal,
    "mixture": posteriors.MixtureMarginal,
    "normal": posteriors.StandardNormal,
}


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
    views = _views(recipe, modules)
    objective = Objective()
    for index, spec in enumerate(recipe.maximize):
        objective = objective + spec.weight * _edge(spec, views, f"maximize.{index}")
    for index, spec in enumerate(recipe.minimize):
        objective = objective - spec.weight * _edge(spec, views, f"minimize.{index}")
    objective.check()
    _known(recipe.evaluate.view, views, "evaluate.view", "a view")
    _trained(views[recipe.evaluate.view], objective)
    return Study(objective, views, modules)


def make(kinds: Mapping[str, Callable[..., Any]], part: Part, where: str) -> Any:  # noqa: ANN401
    """Make one part from its kind and options.

    Raises:
        InfomaxError: an unknown kind; an option the kind does not have, or of the wrong type.

    Example:
        >>> make(CRITICS, {"kind": "separable", "dim": 8}, "critic").scale == 8 ** -0.5
        True
    """
    options = {"kind": part} if isinstance(part, str) else dict(part)
    kind = str(options.pop("kind", None))
    if kind not in kinds:
        raise InfomaxError(
            wanted=f"{where}: one of the kinds " + ", ".join(sorted(kinds)),
            got=repr(kind),
            fix="write the kind as one of these, e.g. {kind: " + min(kinds) + "}",
        )
    constructor = kinds[kind]
    target = constructor if inspect.isfunction(constructor) else constructor.__init__
    hints = get_type_hints(target)
    fields: dict[str, Any] = {
        name: (hints[name], ... if p.default is p.empty else p.default)
        for name, p in inspect.signature(target).parameters.items()
        if name != "self"
    }
    schema = create_model(kind, __config__=ConfigDict(extra="forbid"), **fields)
    try:
        checked = schema.model_validate(options)
    except ValidationError as error:
        raise explained(error, f"{where} (kind {kind})") from None
    try:
        return constructor(**{name: getattr(checked, name) for name in fields})
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        if isinstance(error, InfomaxError):
            raise
        raise InfomaxError(
            wanted=f"{where}: options that make a {kind}",
            got=f"{options}: {str(error).splitlines()[0]}",
            fix="correct the numbers",
        ) from None


def _known(name: str, among: Mapping[str, Any], where: str, what: str) -> None:
    if name not in among:
        raise InfomaxError(
            wanted=f"{where}: {what} of the recipe (" + ", ".join(among) + ")",
            got=repr(name),
            fix="correct the name, or define it",
        )


def _trained(judged: View, objective: Objective) -> None:
    """Refuse to judge a view by an encoder that no edge trains."""
    used = {id(module) for end in objective.views for _, module in end.encoders}
    idle = [view for view, module in judged.encoders if id(module) not in used]
    if idle:
        raise InfomaxError(
            wanted="evaluate.view: a view by encoders that an edge trains",
            got=f"'{judged}', by way of '{idle[0]}', whose encoder is on no edge",
            fix="judge another view, or add an edge",
        )


def _views(recipe: Recipe, modules: Mapping[str, nn.Module]) -> dict[str, View]:
    context = Context()
    built: dict[str, View] = {}

    def view(name: str, asked_by: tuple[str, ...]) -> View:
        where = f"views.{asked_by[-1]}.of" if asked_by else "views"
        _known(name, recipe.views, where, "a view")
        if name in asked_by:
            raise InfomaxError(
                wanted="views that lead back to a signal",
                got="a cycle: " + " -> ".join((*asked_by, name)),
                fix=f"let one of them be `signal: ...`, or take views.{name}.of out",
            )
        if name not in built:
            spec = recipe.views[name]
            if spec.signal is not None:
                built[name] = context.signal(spec.signal).named(name)
            else:
                assert spec.of is not None
                parent = view(spec.of, (*asked_by, name))
                built[name] = _step(parent, name, spec, modules, recipe.data).named(name)
        return built[name]

    for name in recipe.views:
        view(name, ())
    return {name: built[name] for name in recipe.views}


def _step(
    parent: View, name: str, spec: ViewSpec, modules: Mapping[str, nn.Module], data: DataSpec
) -> View:
    where = f"views.{name}"
    if spec.encode is not None:
        _known(spec.encode, modules, f"{where}.encode", "an encoder")
        return parent.encode(modules[spec.encode], spec.at)
    if spec.augment is not None:
        parts = spec.augment if isinstance(spec.augment, list) else [spec.augment]
        steps = [make(AUGMENTATIONS, part, f"{where}.augment") for part in parts]
        return parent.augment(steps[0] if len(steps) == 1 else augment.Sequence(tuple(steps)))
    if spec.half is not None:
        half = {"side": spec.half} if isinstance(spec.half, str) else spec.half.model_dump()
        return parent.slice(make({"half": Half}, {"kind": "half", **half}, f"{where}.half"))
    if spec.crop is not None:
        return parent.slice(Crop(**spec.crop.model_dump()))
    if spec.columns is not None:
        return parent.slice(Columns(*spec.columns))
    assert spec.window is not None
    return parent.slice(_window(spec.window, parent, data, where))


def _window(spec: WindowSpec, parent: View, data: DataSpec, where: str) -> Window:
    if spec.second is None:
        assert spec.start is not None
        return Window(spec.start, int(spec.length))
    rate = getattr(data.signals.get(parent.signal), "rate", None)
    if rate is None:
        raise InfomaxError(
            wanted=f"{where}.window: a sound, whose rate tells how long a second is",
            got=f"the signal '{parent.signal}', which has none",
            fix="give the window in samples: {start: ..., length: ...}",
        )
    return Window(round(spec.second * rate), round(spec.length * rate))


def _edge(spec: EdgeSpec, views: Mapping[str, View], where: str) -> Objective:
    for end in spec.between:
        _known(end, views, f"{where}.between", "a view")
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
    module = None if part is None else make(kinds, part, f"{where}.{key}")
    a, b = (views[end] for end in spec.between)
    positions = spec.ahead if spec.ahead is not None else spec.positions
    return I(a, b, bound=bound, critic=module, positions=positions, negatives=spec.negatives)


def named_bound(part: Part, where: str) -> Bound:
    """A bound by its name in a recipe, at the settings given."""
    options = {"kind": part} if isinstance(part, str) else dict(part)
    bound = bounds.by_name(str(options.pop("kind", "")))
    try:
        settings = {name: float(value) for name, value in options.items()}
    except (TypeError, ValueError):
        raise InfomaxError(
            wanted=f"{where}: numbers as settings of {bound.name}",
            got=repr(options),
            fix="write e.g. {kind: smile, clip: 5.0}",
        ) from None
    return bound(**settings) if settings else bound
