"""Bounds of a separable critic, s = scale · x yᵀ, without ever holding the n × m matrix.

The scores are made in strips of rows, reduced, turned into their gradient and thrown away: memory
is one strip and the gradients of x and y. A scalar's gradient can be had together with its value,
so one pass over the strips does both (two-sided InfoNCE needs a second one). Every function equals
the dense one of the same name in `infomax.bounds` at `scale * x @ y.T`: nats, positives, errors.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from infomax._errors import InfomaxError
from infomax._math import bend, widen
from infomax.bounds import sweeps
from infomax.bounds.matrix import in_nats, kind, positive_columns
from infomax.bounds.scores import Nats, Positives

X = Float[Tensor, "n d"]
Y = Float[Tensor, "m _"]  # d again; `_prepare` says so
Scale = Float[Tensor, "..."] | float  # 0-d


def infonce(
    x: X, y: Y, scale: Scale = 1.0, *, positives: Positives = None, two_sided: bool = False
) -> Nats:
    """InfoNCE in strips; as `infomax.bounds.infonce`, a lower bound that never exceeds log K.

        mean_i [ s_ii - log (1/K) Σ_j e^{s_ij} ],       s = scale · x yᵀ

    Source: van den Oord, Li, Vinyals 2018, arXiv 1807.03748, eq. 4. Tiles: Cheng et al. 2024
    (Inf-CL), arXiv 2410.17243.

    Example:
        >>> x = torch.eye(4)
        >>> round(infonce(x, x, 100.0).item(), 4) == round(math.log(4), 4)
        True
    """
    x, y, columns, _ = _prepare(x, y, scale, positives)
    if not two_sided:
        value = math.log(len(y)) - _known(x, y, columns, sweeps.each_row)
    else:
        log_k = (math.log(len(x)) + math.log(len(y))) / 2
        value = log_k - _known(x, y, columns, sweeps.both_sides)
    return in_nats(value, of="x, y and scale")


def leave_one_out(x: X, y: Y, scale: Scale = 1.0, *, positives: Positives = None) -> Nats:
    """Leave-one-out in strips, for log densities that separate (a Gaussian p(y|x) does).

        mean_i [ s_ii - log (1/(K-1)) Σ_{j≠i} e^{s_ij} ],       s = scale · x yᵀ = log p + const_i

    Rows are the y_i of log p(y_i | x_j), columns the x_j.

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.3.

    Example:
        >>> leave_one_out(torch.zeros(4, 2), torch.zeros(4, 2)).item()
        0.0
    """
    x, y, columns, _ = _prepare(x, y, scale, positives)
    log_z = _known(x, y, columns, partial(sweeps.each_row, leave_out=True))
    return in_nats(math.log(len(y) - 1) - log_z, of="x, y and scale")


def donsker_varadhan(x: X, y: Y, scale: Scale = 1.0, *, positives: Positives = None) -> Nats:
    """Donsker-Varadhan in strips; as `infomax.bounds.donsker_varadhan`.

        E_p[s] - log E_q[e^s],       s = scale · x yᵀ

    Source: Belghazi et al. 2018, arXiv 1801.04062, theorem 1.

    Example:
        >>> donsker_varadhan(torch.zeros(4, 2), torch.zeros(4, 2)).item()
        0.0
    """
    x, y, columns, partners = _prepare(x, y, scale, positives)
    positive = (x * partners).sum(-1)
    log_z = _known(x, y, columns, sweeps.all_pairs) - math.log(len(x) * (len(y) - 1))
    return in_nats(positive.mean() - log_z, of="x, y and scale")


def nwj(x: X, y: Y, scale: Scale = 1.0, *, positives: Positives = None) -> Nats:
    """NWJ in strips; as `infomax.bounds.nwj`, a lower bound.

        E_p[s] - e^{-1} E_q[e^s],       s = scale · x yᵀ

    Source: Nguyen, Wainwright, Jordan 2010, arXiv 0809.0853; Poole et al. 2019, arXiv 1905.06922.

    Example:
        >>> round(nwj(torch.zeros(4, 2), torch.zeros(4, 2)).item(), 4)    # -1/e
        -0.3679
    """
    return _nwj(x, y, scale, positives, shift=1.0)


def js(x: X, y: Y, scale: Scale = 1.0, *, positives: Positives = None) -> Nats:
    """The value in nats of a Jensen-Shannon critic, in strips; as `infomax.bounds.js`.

        E_p[s] - E_q[e^s] + 1,       s = scale · x yᵀ

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.2.

    Example:
        >>> js(torch.zeros(4, 2), torch.zeros(4, 2)).item()
        0.0
    """
    return _nwj(x, y, scale, positives, shift=0.0)


def js_signal(x: X, y: Y, scale: Scale = 1.0, *, positives: Positives = None) -> Nats:
    """The Jensen-Shannon training signal in strips; as `infomax.bounds.js_signal`, not nats.

        E_p[-softplus(-s)] - E_q[softplus(s)],       s = scale · x yᵀ

    Source: Hjelm et al. 2019, arXiv 1808.06670, eq. 4.

    Example:
        >>> round(js_signal(torch.zeros(4, 2), torch.zeros(4, 2)).item(), 4)
        -1.3863
    """
    x, y, columns, partners = _prepare(x, y, scale, positives)
    positive = (x * partners).sum(-1)
    return in_nats(
        -softplus(-positive).mean() - _known(x, y, columns, sweeps.softplus_mean),
        of="x, y and scale",
    )


def _nwj(x: Tensor, y: Tensor, scale: Scale, positives: Positives, shift: float) -> Tensor:
    x, y, columns, partners = _prepare(x, y, scale, positives)
    positive = (x * partners).sum(-1)
    log_z = _known(x, y, columns, partial(sweeps.all_pairs, shift=shift))
    log_z = log_z - math.log(len(x) * (len(y) - 1))
    return in_nats(bend(positive - shift).mean() - log_z.exp() + 1, of="x, y and scale")


class _Known(torch.autograd.Function):
    """A scalar whose gradients come with its value: `sweep` returns all three."""

    @staticmethod
    def forward(ctx, x, y, columns, sweep: sweeps.Sweep):  # type: ignore[no-untyped-def]
        wanted = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        with torch.autocast(x.device.type, enabled=False):
            value, grad_x, grad_y = sweep(x, y, columns, wanted)
        ctx.save_for_backward(grad_x, grad_y)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        grad_x, grad_y = ctx.saved_tensors
        return grad * grad_x, grad * grad_y, None, None


def _known(x: Tensor, y: Tensor, columns: Tensor, sweep: sweeps.Sweep) -> Tensor:
    value: Tensor = _Known.apply(x, y, columns, sweep)  # type: ignore[no-untyped-call]
    return value


def _prepare(
    x: Tensor, y: Tensor, scale: Scale, positives: Positives
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Check; return scale · x and y wide enough to sum, the positives' columns and rows of y."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or len(x) < 1:
        raise InfomaxError(
            wanted="x [n, d] and y [m, d], one embedding a row",
            got=f"{kind(x)} and {kind(y)}",
            fix="flatten the positions, or use the dense bound for matrices by position",
        )
    if len(y) < 2:
        raise InfomaxError(
            wanted="at least K = 2 candidates for every anchor",
            got=f"{len(y)} row of y",
            fix="use a batch of two or more contexts: one pair alone says nothing",
        )
    if isinstance(scale, Tensor) and scale.ndim:
        raise InfomaxError(
            wanted="one scale for all scores", got=kind(scale), fix="pass a number or 0-d tensor"
        )
    columns = positive_columns(positives, len(x), len(y), x.device)
    x, y = scale * widen(x), widen(y)
    return x, y, columns, y[: len(x)] if positives is None else y[columns]
