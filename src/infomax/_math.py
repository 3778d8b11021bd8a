"""The only home of numerics: means and log-means that survive masks, -inf and large exponents.

Everything here is a pure function of tensors. Half precision is widened to float32 before anything
is reduced; the gradient of a masked or -inf entry is exactly zero, never NaN.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Dims = int | tuple[int, ...]


def widen(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return x in a type fit to be summed: float32, or float64 if it was that already.

    Example:
        >>> widen(torch.ones(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def logmeanexp(
    x: Float[Tensor, "..."], dim: Dims, mask: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "..."]:
    """Logarithm of the mean of exponentials over `dim`, over the entries where `mask` is True.

        log (1/|M|) Σ_{i in M} e^{x_i}

    A slice without a counted entry, or with only -inf, gives -inf and a zero gradient.

    Example:
        >>> x = torch.tensor([[0.0, 0.0, float("nan")]])
        >>> logmeanexp(x, dim=1, mask=torch.tensor([[True, True, False]]))
        tensor([0.])
    """
    dims = (dim,) if isinstance(dim, int) else dim
    x = widen(x)
    if mask is None:
        log_count: Tensor | float = math.log(math.prod(x.shape[d] for d in dims))
    else:
        x = torch.where(mask, x, -math.inf)
        log_count = mask.expand(x.shape).sum(dims).clamp_min(1).to(x.dtype).log()
    return _logsumexp(x, dims) - log_count


def _logsumexp(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Logsumexp whose gradient is zero, not NaN, where a slice holds nothing but -inf."""
    total = torch.logsumexp(x, dims)
    if not x.requires_grad or not bool(torch.isneginf(total).any()):
        return total
    # In an empty slice softmax is 0/0: feed the reduction zeros there and put -inf back after it.
    empty = torch.isneginf(torch.amax(x.detach(), dims, keepdim=True))
    filled = torch.logsumexp(x.masked_fill(empty, 0.0), dims)
    return torch.where(torch.isneginf(total.detach()), -math.inf, filled)


def masked_mean(
    x: Float[Tensor, "..."], dim: Dims, mask: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "..."]:
    """Mean over `dim` of the entries where `mask` is True; 0 for a slice without any.

        (1/|M|) Σ_{i in M} x_i

    Example:
        >>> mask = torch.tensor([True, True, False])
        >>> masked_mean(torch.tensor([1.0, 3.0, float("nan")]), 0, mask)
        tensor(2.)
    """
    x = widen(x)
    if mask is None:
        return x.mean(dim)
    count = mask.expand(x.shape).sum(dim).clamp_min(1)
    return torch.where(mask, x, 0.0).sum(dim) / count


def knee(dtype: torch.dtype) -> float:
    """The largest exponent taken at face value: e^knee times 5e8 still fits the type.

    68.7 nats for float32, 689.8 for float64.

    Example:
        >>> round(knee(torch.float32), 1)
        68.7
    """
    return math.log(torch.finfo(dtype).max) - 20.0


def bend(t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Leave a log-ratio alone up to the knee c, and let it grow like a logarithm after it.

        t                    t <= c
        c + log(1 + t - c)   t >  c

    e^{bend(t)} grows linearly after the knee: its gradient is finite and never dies. A bound of the
    form E_p[t] - E_q[e^t] + 1 holds for every function t, so applying `bend` to positives and
    negatives alike gives the same bound of another critic, still a lower bound.

    Example:
        >>> bend(torch.tensor([1.0, 1e4])).exp().isfinite().all()
        tensor(True)
    """
    c = knee(t.dtype)
    return t.clamp(max=c) + torch.log1p(torch.relu(t - c))
