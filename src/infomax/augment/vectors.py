"""Augmentations of any array: noise on every number, numbers left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomax._ranges import Amount, Share
from infomax.slices import lengths


@dataclass(frozen=True)
class noise:
    """Add independent Gaussian noise of deviation ``std``; the padding of a series stays zero."""

    std: Amount = 0.1

    def __call__(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, " n *signal"]:
        added = self.std * torch.randn_like(value)
        if value.ndim == 3:
            steps = torch.arange(value.shape[1], device=value.device)
            added = added * (steps < lengths(value)[:, None])[:, :, None]
        return value + added


@dataclass(frozen=True)
class drop:
    """Set each number to zero with probability ``share``."""

    share: Share = 0.2

    def __call__(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, " n *signal"]:
        return value * (torch.rand_like(value) >= self.share)


@dataclass(frozen=True)
class swap:
    """Take each number, with probability ``share``, from another context of the batch.

    What is left is of the size that this number has in other contexts, whatever its scale; noise
    and zeros are not. Source: Bahri et al. 2022, SCARF (arXiv:2106.15147).

    Example:
        >>> value = torch.arange(6.0)[:, None] * torch.tensor([1.0, 1000.0])
        >>> swapped = swap(share=0.5)(value)
        >>> bool(torch.isin(swapped[:, 1], value[:, 1]).all()), bool((swapped[:, 0] < 6).all())
        (True, True)
    """

    share: Share = 0.2

    def __call__(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, " n *signal"]:
        flat = value.flatten(1)
        other = torch.randint(len(flat), flat.shape, device=flat.device)
        swapped = torch.rand(flat.shape, device=flat.device) < self.share
        return torch.where(swapped, flat.gather(0, other), flat).view_as(value)
