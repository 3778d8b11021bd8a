"""The ends of all edges as plain tensors: taken apart, joined over chunks, put back.

Between encoders and critics a batch is a few tensors with contexts first. Here they become a flat
list, so that chunks of a batch, or the shares of several processes, join by concatenation, and a
gradient can be taken at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace

import torch
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.views import Posterior, Values, View


def apart(values: Values, views: Sequence[View]) -> list[Tensor]:
    """The tensors of views, of their posteriors, and the masks of who is there, in that order."""
    tensors = [values.tensors[view] for view in views]
    for posterior in _posteriors(values, views):
        tensors += [getattr(posterior, name) for name in _names(posterior)]
    return [*tensors, *values.present.values()]


def together(values: Values, views: Sequence[View], tensors: Sequence[Tensor]) -> Values:
    """What `apart` took apart, made of other tensors: `values` is the pattern.

    Example:
        >>> from infomax import Context
        >>> x = Context().signal("x")
        >>> values = Values({x: torch.ones(2, 3)}, {}, {})
        >>> double = [2 * tensor for tensor in apart(values, [x])]
        >>> together(values, [x], double).tensors[x].sum()
        tensor(12.)
    """
    left = iter(tensors)
    of_views = {view: next(left) for view in views}
    posteriors = {}
    for view in views:
        if view in values.posteriors:
            old = values.posteriors[view]
            new = {name: next(left) for name in _names(old)}
            posteriors[view] = replace(old, **new)  # type: ignore[type-var]
    present = {name: next(left) for name in values.present}
    return Values(of_views, present, posteriors)


def join(parts: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The same tensors of several chunks as one, contexts after contexts."""
    if len(parts) == 1:
        return list(parts[0])
    return [torch.cat(same) for same in zip(*parts, strict=True)]


def first(values: Values, views: Sequence[View], most: int) -> Values:
    """The first contexts of a batch, at most so many."""
    return together(values, views, [tensor[:most] for tensor in apart(values, views)])


def _posteriors(values: Values, views: Sequence[View]) -> list[Posterior]:
    return [values.posteriors[view] for view in views if view in values.posteriors]


def _names(posterior: Posterior) -> list[str]:
    if not is_dataclass(posterior):
        raise InfomaxError(
            wanted="a posterior that is a dataclass of tensors, contexts first",
            got=type(posterior).__name__,
            fix="make it one (infomax.posteriors.Posterior is)",
        )
    return [f.name for f in fields(posterior) if isinstance(getattr(posterior, f.name), Tensor)]
