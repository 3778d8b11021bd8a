"""The linear map in which views meet: canonical correlation of several views, then training.

Few contexts are learned by heart long before a network finds what views share. The linear answer
is there in closed form, and a good place to start from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from infomax._errors import InfomaxError
from infomax._ranges import Count, Share
from infomax.encoders.standard import first


class Canonical(LazyModuleMixin, nn.Module):
    r"""Whiten, and map linearly to where the views meet: ``z = W' S^(-1/2) (x - m) / sqrt(k)``.

    x is a vector, or anything laid flat: what another encoder gives, or a signal. ``S`` is the
    covariance of its standardized numbers over training contexts, shrunk towards the identity;
    its k largest principal components are kept. W begins at the generalized canonical directions
    (`directions`) of all edges between views that end in encoders of this kind, and is trained
    from there. A critic without towers (``{kind: cosine, towers: false}``) compares what it gives.

    Args:
        dim: width of the output, the number of directions.
        most: principal components that are kept.
        ridge: what share of S is the identity (times its mean variance).

    Raises:
        InfomaxError: a ridge outside [0, 1]; fewer than two training contexts.

    Source: Kettenring 1971 (several sets of variables); why gradient descent on contrastive losses
    goes the same way: Nakada et al. 2023 (arXiv:2302.06232).

    Example:
        >>> net = Canonical(dim=2)
        >>> net.start([torch.randn(100, 5)])
        >>> net(torch.randn(4, 5)).shape
        torch.Size([4, 2])
    """

    mean: Float[Tensor, " d"]
    whiten: Float[Tensor, "d k"]
    weight: nn.UninitializedParameter

    def __init__(self, *, dim: Count = 64, most: Count = 256, ridge: Share = 0.8) -> None:
        super().__init__()
        if not 0 <= ridge <= 1 or dim < 1 or most < 1:
            raise InfomaxError(
                wanted="ridge within [0, 1], and one direction and component or more",
                got=f"ridge: {ridge}, dim: {dim}, most: {most}",
                fix="use for example ridge: 0.8",
            )
        self.dim, self.most, self.ridge = dim, most, ridge
        self.register_buffer("mean", torch.zeros(0))
        self.register_buffer("whiten", torch.zeros(0, 0))
        self.weight = nn.UninitializedParameter()

    @torch.no_grad()
    def start(self, batches: Iterable[Float[Tensor, " n *signal"]]) -> None:
        """Whiten by training samples; W keeps the largest components until views have met."""
        x = torch.cat([batch.float().flatten(1) for batch in first(batches)])
        if len(x) < 2:
            raise InfomaxError(
                wanted="two training contexts or more to whiten by",
                got=f"{len(x)}",
                fix="give more contexts that have this view",
            )
        self.mean, self.whiten = whitening(x, self.most, self.ridge)
        self.begin(torch.eye(self.whiten.shape[1], self.dim, device=x.device))

    @torch.no_grad()
    def begin(self, weight: Float[Tensor, "k d"]) -> None:
        """Let W begin here: its first ``dim`` columns, the largest brought to mean square 1."""
        taken = weight.new_zeros(len(weight), self.dim)
        width = min(self.dim, weight.shape[1])
        taken[:, :width] = weight[:, :width]
        size = taken.square().mean(0).amax().sqrt().clamp_min(1e-12)
        self.weight = nn.Parameter(taken / size)  # type: ignore[assignment]

    def initialize_parameters(self, value: Tensor) -> None:
        """Refuse to run before `start`; torch calls this before the first batch."""
        if self.has_uninitialized_params():
            raise InfomaxError(
                wanted="an encoder that has been whitened",
                got="one that has seen no training samples",
                fix="call `start([samples])` first, or load a trained state",
            )

    def whitened(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, "n k"]:
        """Components without correlation, of variance one at most, the largest first."""
        return (value.float().flatten(1) - self.mean) @ self.whiten

    def forward(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, "n dim"]:
        """Encode a batch."""
        z: Tensor = self.whitened(value) @ self.weight / self.weight.shape[0] ** 0.5
        return z


def whitening(
    x: Float[Tensor, "n d"], most: int, ridge: float
) -> tuple[Float[Tensor, " d"], Float[Tensor, "d k"]]:
    """Mean, and the map to the largest principal components, each divided by its deviation.

    Of standardized columns; ``variance -> (1 - ridge) variance + ridge (mean variance)`` before it
    is divided by. The mean is over the ``min(n, d)`` components that there can be.

    Example:
        >>> x = torch.randn(1000, 3) @ torch.randn(3, 3)
        >>> mean, whiten = whitening(x, 3, 0.0)
        >>> torch.cov(((x - mean) @ whiten).T).round(decimals=1).abs()
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """
    mean, std = x.mean(0), x.std(0)
    scale = torch.where(std > 1e-6 * mean.abs().clamp_min(1e-6), 1 / std, 0.0)
    z = ((x - mean) * scale).double()
    wide = len(z) < z.shape[1]
    variance, axes = torch.linalg.eigh((z @ z.T if wide else z.T @ z) / len(z))
    variance, axes = variance.flip(0).clamp_min(0), axes.flip(1)
    kept = (variance > 1e-10 * variance[0]).nonzero()[:most, 0]
    shrunk = (1 - ridge) * variance[kept] + ridge * variance.mean()
    axes = axes[:, kept]
    if wide:  # of rows: brought to columns
        axes = z.T @ axes / (len(z) * variance[kept]).sqrt()
    return mean, scale[:, None] * (axes / shrunk.sqrt()).float()


def directions(
    views: Sequence[Float[Tensor, "n _"]],
    there: Sequence[Bool[Tensor, " n"]],
    edges: Sequence[tuple[int, int]],
    owners: Sequence[int],
) -> list[Float[Tensor, "k m"]]:
    """Where whitened views meet: directions of generalized canonical correlation, largest first.

    The leading eigenvectors of the matrix whose block (o, p) is the sum, over edges between a view
    of owner o and one of owner p, of their cross-covariance; each times the root of its eigenvalue
    (none below zero). Of two views these are the canonical directions. A covariance is over the
    contexts that have both views.

    Args:
        views: whitened views, one row a context.
        there: which contexts have each view.
        edges: pairs of views, by number.
        owners: whose map each view goes through, from 0; several views may share one.

    Returns:
        For every owner its part of all directions.

    Source: Kettenring 1971, Canonical analysis of several sets of variables (SUMCOR).

    Example:
        >>> x = torch.randn(2000, 3)
        >>> a, b = directions([x, x[:, [1, 0, 2]]], [torch.ones(2000).bool()] * 2, [(0, 1)], [0, 1])
        >>> torch.allclose(x @ a[:, :3], x[:, [1, 0, 2]] @ b[:, :3], atol=0.2)
        True
    """
    widths = [0] * (max(owners) + 1)
    for view, owner in zip(views, owners, strict=True):
        widths[owner] = view.shape[1]
    ends = torch.tensor([0, *widths]).cumsum(0).tolist()
    place = [slice(start, stop) for start, stop in pairwise(ends)]
    shared = torch.zeros(ends[-1], ends[-1], dtype=torch.float64)
    for i, j in edges:
        both = there[i] & there[j]
        x, y = views[i][both].double(), views[j][both].double()
        cross = (x - x.mean(0)).T @ (y - y.mean(0)) / max(1, len(x))
        a, b = place[owners[i]], place[owners[j]]
        shared[a, b] += cross.nan_to_num()
        shared[b, a] += cross.nan_to_num().T
    values, vectors = torch.linalg.eigh(shared)
    found = vectors.flip(1) * values.flip(0).clamp_min(0).sqrt()
    return [found[part].float() for part in place]
