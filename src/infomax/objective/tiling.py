"""The loss of an edge whose scores are inner products, without ever holding the score matrix.

A critic that splits (`project` and `scale`: scores == scale · gx @ gyᵀ) and a bound with a tiled
form need only the projections. Leading axes (positions) are so many matrices, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from infomax.bounds import Bound
from infomax.pairing import Pairs

MATRIX = 2**20
"""Scores of one matrix from which tiles are made: 1,024 contexts; below, dense is as fast."""
WHOLE = 2**26
"""Scores of all matrices of an edge together from which tiles are made (256 MB)."""


@runtime_checkable
class Splits(Protocol):
    """A critic whose scores are scaled inner products of projections."""

    scale: float | Tensor

    def project(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The projections of anchors and of candidates."""


def tiled(bound: Bound, critic: nn.Module, pairs: Pairs) -> Callable[[], Tensor] | None:
    """The loss of these pairs in tiles, to be called; None where the dense form is to be used."""
    if bound.tiled is None or pairs.mask is not None or not isinstance(critic, Splits):
        return None
    leading = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        pairs.x.shape[:-2], pairs.y.shape[:-2]
    )
    matrix = pairs.x.shape[-2] * pairs.y.shape[-2]
    if matrix < MATRIX and matrix * prod(leading) < WHOLE:
        return None
    return partial(_loss, bound.tiled, critic, pairs, leading)


def _loss(loss: Callable[..., Tensor], critic: Splits, pairs: Pairs, leading: torch.Size) -> Tensor:
    gx, gy = critic.project(pairs.x, pairs.y)
    gx = gx.expand(*leading, *gx.shape[-2:]).flatten(0, -3) if leading else gx[None]
    gy = gy.expand(*leading, *gy.shape[-2:]).flatten(0, -3) if leading else gy[None]
    parts = [
        loss(x, y, critic.scale, positives=pairs.positives) for x, y in zip(gx, gy, strict=True)
    ]
    return torch.stack(parts).mean()
