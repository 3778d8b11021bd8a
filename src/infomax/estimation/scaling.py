"""Changes of scale that leave mutual information alone, fitted on training rows only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from infomax.gaussian import gaussianize, rank_knots

Scale = Literal["rank", "standard"]
HEAVY = 8.0
"""Deviations beyond which a column counts as heavy-tailed, and is squeezed before scaling."""


@dataclass(frozen=True)
class Scaling:
    """One change of scale of x and one of y."""

    x: Callable[[Tensor], Tensor]
    y: Callable[[Tensor], Tensor]


def scaling(kind: Scale, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> Scaling:
    """Fit a change of scale: "rank" Gaussianizes each column, "standard" centres and divides.

    "standard" keeps the shape of the columns (a spiral stays one), except that columns with tails
    beyond eight deviations pass asinh of their robust scale first.

    Example:
        >>> x = torch.arange(9.0).reshape(-1, 1)
        >>> scaling("standard", x, x).x(x).std().round(decimals=3)
        tensor(1.)
    """
    fitted = _rank if kind == "rank" else _standard
    return Scaling(fitted(x), fitted(y))


def _rank(train: Tensor) -> Callable[[Tensor], Tensor]:
    knots = rank_knots(train)
    return lambda rows: gaussianize(rows, *knots)


def _standard(train: Tensor) -> Callable[[Tensor], Tensor]:
    middle = train.median(0).values
    spread = 1.4826 * (train - middle).abs().median(0).values
    spread = torch.where(spread > 0, spread, train.std(0)).clamp_min(1e-30)
    heavy = ((train - middle).abs() / spread).amax(0) > HEAVY

    def squeeze(rows: Tensor) -> Tensor:
        unit = (rows - middle) / spread
        return torch.where(heavy, torch.asinh(unit), unit)

    squeezed = squeeze(train)
    mean, deviation = squeezed.mean(0), squeezed.std(0).clamp_min(1e-6)
    return lambda rows: (squeeze(rows) - mean) / deviation
