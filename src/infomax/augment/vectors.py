"""Augmentations of any array: noise on every number, numbers left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class noise:
    """Add independent Gaussian noise of standard deviation ``std``."""

    std: float = 0.1

    def __call__(self, value: Float[Tensor, "n *signal"]) -> Float[Tensor, "n *signal"]:
        return value + self.std * torch.randn_like(value)


@dataclass(frozen=True)
class drop:
    """Set each number to zero with probability ``share``."""

    share: float = 0.2

    def __call__(self, value: Float[Tensor, "n *signal"]) -> Float[Tensor, "n *signal"]:
        return value * (torch.rand_like(value) >= self.share)
