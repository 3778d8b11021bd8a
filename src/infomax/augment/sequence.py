"""Several augmentations, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Sequence:
    """Apply augmentations in order.

    Example:
        >>> import torch
        >>> from infomax import augment
        >>> both = augment.Sequence((augment.noise(std=0.1), augment.drop(share=0.5)))
        >>> both(torch.ones(4, 10)).shape
        torch.Size([4, 10])
    """

    steps: tuple[Callable[[Tensor], Tensor], ...]

    def __call__(self, value: Tensor) -> Tensor:
        for step in self.steps:
            value = step(value)
        return value
