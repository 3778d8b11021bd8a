"""The plain network that critics and posteriors are made of, its input size read from data."""

from __future__ import annotations

from torch import nn

from infomax._ranges import Count

Hidden = tuple[Count, ...]


def mlp(hidden: Hidden, out: int) -> nn.Sequential:
    """Lazily sized layers to `hidden`, ReLU after each, then a linear map to `out`.

    Example:
        >>> len(mlp((64, 64), 8))
        5
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.LazyLinear(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.LazyLinear(out))
