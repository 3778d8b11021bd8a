"""The views of a recipe as a graph: every name a node, every step made from its options."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from infomax import augment
from infomax._errors import InfomaxError
from infomax.building.kinds import (
    AUGMENTATIONS,
    known,
    make,
)
from infomax.data import DataSpec
from infomax.recipe import Recipe, ViewSpec, WindowSpec
from infomax.slices import Channels, Columns, Crop, Half, Patches, Window
from infomax.views import Context, View


def views_of(recipe: Recipe, modules: Mapping[str, nn.Module]) -> dict[str, View]:
    """Every view of a recipe by name, made from its parent; refuses cycles."""
    context = Context()
    built: dict[str, View] = {}

    def view(name: str, asked_by: tuple[str, ...]) -> View:
        where = f"views.{asked_by[-1]}.of" if asked_by else "views"
        known(name, recipe.views, where, "a view")
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
        known(spec.encode, modules, f"{where}.encode", "an encoder")
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
    if spec.channels is not None:
        return parent.slice(Channels(spec.channels))
    if spec.patches is not None:
        return parent.slice(Patches(**spec.patches.model_dump()))
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
