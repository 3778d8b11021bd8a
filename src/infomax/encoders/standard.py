"""Numbers brought to one size, as they were in training: the first thing an encoder does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

ENOUGH = 4096
"""Training contexts that statistics are taken from."""


class Standardize(nn.Module):
    """Bring every feature, the last axis, to mean 0 and deviation 1, as they were in training.

    ``(x - mean) / std``, with the statistics that `start` took; features that never change keep
    deviation 1. Columns may differ by orders of magnitude (lengths in mm beside moments in the
    thousands), and the statistics must be those of training wherever the encoder is used: so they
    are its state.

    Example:
        >>> scale = Standardize()
        >>> scale.start([torch.tensor([[1.0, 5.0], [3.0, 5.0]])])
        >>> scale(torch.tensor([[3.0, 6.0]]))
        tensor([[1., 1.]])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features or 1))
        self.register_buffer("std", torch.ones(features or 1))

    @torch.no_grad()
    def start(self, parts: Iterable[Float[Tensor, "m d"]]) -> None:
        """Take the statistics of training vectors or steps, part by part; nothing from none."""
        count, total, squares = 0, torch.zeros(1), torch.zeros(1)
        for part in parts:
            part = part.double()
            count += len(part)
            total = total.to(part) + part.sum(0)
            squares = squares.to(part) + part.square().sum(0)
        if not count:
            return
        mean = total / count
        std = (squares / count - mean.square()).clamp_min(0).sqrt()
        constant = std <= 1e-6 * mean.abs().clamp_min(1e-6)
        self.mean, self.std = mean.float(), torch.where(constant, 1.0, std).float()

    def forward(self, value: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        return (value - self.mean) / self.std

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
        """Take statistics of any size, as `start` does."""
        for name in ("mean", "std"):
            if f"{prefix}{name}" in state:
                setattr(self, name, getattr(self, name).new_empty(state[f"{prefix}{name}"].shape))
        super()._load_from_state_dict(state, prefix, *rest)


class StandardizePictures(Standardize):
    """Bring every channel of pictures to mean 0 and deviation 1, as they were in training.

    A convolution pads with zeros: of standardized pictures that is the mean, of others the darkest
    there is, and pictures whose ground is dark lose their border.

    Example:
        >>> scale = StandardizePictures()
        >>> scale.start([torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 3, 4, 4)])
        >>> scale(torch.ones(1, 3, 4, 4)).unique()
        tensor([1.])
    """

    def start(self, parts: Iterable[Tensor]) -> None:
        """Take the statistics of the first few thousand training pictures."""
        super().start(part.float().movedim(1, -1).flatten(0, 2) for part in first(parts))

    def forward(self, value: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return (value - self.mean[:, None, None]) / self.std[:, None, None]


def first(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """Batches until there are enough contexts for statistics."""
    seen = 0
    for batch in batches:
        yield batch
        seen += len(batch)
        if seen >= ENOUGH:
            return
