"""Modules run once for several inputs, with what their submodules put out on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from infomax._errors import InfomaxError

Outputs = dict[str | None, Any]
"""What a module (None) and submodules (their names) put out."""


def tapped(
    module: nn.Module, values: Sequence[Tensor], places: Sequence[str | None]
) -> list[Outputs]:
    """Run a module on several inputs; those of one shape at once, where that is the same.

    One large call is faster than several small ones. Batch normalization in training mode takes
    statistics of an input by itself, so its inputs stay apart.

    Args:
        module: the module.
        values: its inputs, contexts first.
        places: whose outputs are wanted: names of submodules, None for the module itself.

    Raises:
        InfomaxError: a submodule that does not run.

    Example:
        >>> twice = tapped(nn.Sequential(nn.Identity()), [torch.zeros(2), torch.ones(3)], ["0"])
        >>> twice[1]["0"]
        tensor([1., 1., 1.])
    """
    mixing = any(isinstance(m, _BatchNorm) and m.training for m in module.modules())
    groups: dict[object, list[int]] = {}
    for index, value in enumerate(values):
        groups.setdefault(index if mixing else (value.shape[1:], value.dtype), []).append(index)
    found: dict[int, Outputs] = {}
    for group in groups.values():
        sizes = [len(values[index]) for index in group]
        joined = torch.cat([values[index] for index in group]) if len(group) > 1 else None
        whole = _run(module, values[group[0]] if joined is None else joined, places)
        if joined is None:
            found[group[0]] = whole
        else:
            parts = {
                place: _apart(output, sizes) for place, output in whole.items() if place in places
            }
            for turn, index in enumerate(group):
                found[index] = {place: part[turn] for place, part in parts.items()}
    return [found[index] for index in range(len(values))]


def _apart(output: Any, sizes: Sequence[int]) -> Sequence[Any]:  # noqa: ANN401 - of any encoder
    """The output of each of several inputs that were one; of a posterior, its tensors'."""
    if isinstance(output, Tensor):
        return torch.split(output, list(sizes))
    if not is_dataclass(output) or isinstance(output, type):
        raise InfomaxError(
            wanted="an encoder that puts out a tensor or a posterior (a dataclass of tensors)",
            got=type(output).__name__,
            fix="return a tensor, contexts first",
        )
    held = {f.name: getattr(output, f.name) for f in fields(output)}
    split = {name: torch.split(v, list(sizes)) for name, v in held.items() if isinstance(v, Tensor)}
    return [
        replace(output, **{name: parts[turn] for name, parts in split.items()})
        for turn in range(len(sizes))
    ]


def _run(module: nn.Module, value: Tensor, places: Sequence[str | None]) -> Outputs:
    caught: Outputs = {}
    hooks = [
        module.get_submodule(at).register_forward_hook(
            lambda _module, _inputs, output, at=at: caught.update({at: output})
        )
        for at in places
        if at is not None
    ]
    try:
        caught[None] = module(value)
    finally:
        for hook in hooks:
            hook.remove()
    silent = [at for at in places if at not in caught]
    if silent:
        raise InfomaxError(
            wanted=f"a submodule of {type(module).__name__} that runs",
            got=f"'{silent[0]}', which did not",
            fix="tap a module that the encoder calls",
        )
    return {place: caught[place] for place in places}
