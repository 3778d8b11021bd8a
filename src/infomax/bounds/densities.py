"""Bounds from known densities: pure functions of log_p[..., i, j] = log p(y_i | x_j).

A stochastic encoder x -> y knows p(y | x), so information can be bounded from both sides. Mind the
axes: rows are the y_i, columns the x_j that may have made them; log_r[..., i] = log r(y_i) is any
normalized model r of the marginal, log_p_paired[..., i] = log p(y_i | x_i). Keywords `positives`
and `mask`, leading axes and errors are as in `infomax.bounds.scores`: positives[i] is the column of
the x that made y_i. The upper bounds need the true conditional: with a learned q in its place they
are on neither side, and the `Bound` objects of those say "estimate".
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from infomax._errors import InfomaxError
from infomax._math import logmeanexp, masked_mean, widen
from infomax.bounds.matrix import in_nats, others, paired
from infomax.bounds.scores import Mask, Nats, Positives, donsker_varadhan, infonce, tuba

Conditional = Float[Tensor, "... n m"]
Marginal = Float[Tensor, "... _"]  # n again; `_log_ratio` and `_same_shape` say so


def tractable_nce(log_p: Conditional, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """InfoNCE with the conditional itself as critic. A lower bound, never above log K.

        mean_i log p(y_i|x_i) / (1/K) Σ_j p(y_i|x_j)

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.3.

    Example:
        >>> import torch
        >>> tractable_nce(torch.zeros(4, 4)).item()
        0.0
    """
    return infonce(log_p, positives=positives, mask=mask)


def leave_one_out(log_p: Conditional, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """The same with the positive left out of the denominator. An upper bound, loose above log K.

        mean_i log p(y_i|x_i) / (1/(K-1)) Σ_{j≠i} p(y_i|x_j)

    Narrow posteriors make every term of the denominator vanish: log space keeps the number finite,
    but only a learned marginal (`rate`) keeps it near the truth.

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.3; Cheng et al. 2020, arXiv 2006.12013
    (with a learned q: an estimate).

    Example:
        >>> import torch
        >>> leave_one_out(torch.zeros(4, 4)).item()
        0.0
    """
    s, positive, columns = paired(log_p, positives, mask)
    negative = others(columns, s.shape[-1], mask, every_row=True)
    return in_nats(-logmeanexp(s - positive[..., None], -1, negative), of="log densities")


def rate(log_p_paired: Marginal, log_r: Marginal) -> Nats:
    """Rate: the cost of coding y when its marginal is thought to be r. An upper bound for every r.

        E[log p(y|x) - log r(y)]        slack: KL(p(y) || r)

    Source: Agakov 2006; Alemi et al. 2017, arXiv 1612.00410; Poole et al. 2019, arXiv 1905.06922,
    section 2.1.

    Example:
        >>> import torch
        >>> rate(torch.full((4,), 3.0), torch.full((4,), 1.0)).item()
        2.0
    """
    p, r = _same_shape(log_p_paired, log_r)
    return in_nats((p - r).mean(), of="log densities")


def difference_of_entropies(log_q_paired: Marginal, log_r: Marginal) -> Nats:
    """Marginal minus conditional cross-entropy, both learned. An estimate: each errs upwards.

        -E[log r(y)] + E[log q(y|x)]    fit q and r by maximum likelihood, each on its own

    Source: McAllester, Stratos 2020, arXiv 1811.04251.

    Example:
        >>> import torch
        >>> difference_of_entropies(torch.full((4,), 3.0), torch.full((4,), 1.0)).item()
        2.0
    """
    return rate(log_q_paired, log_r)


def tractable_nwj(
    log_p: Conditional, log_r: Marginal, *, positives: Positives = None, mask: Mask = None
) -> Nats:
    """NWJ of the log-ratio of the known conditional to a model of the marginal. A lower bound.

        E_p[t] - E_q[e^t] + 1,      t = log p(y|x) - log r(y)      (NWJ's critic: f = t + 1)

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.2, with f = 1 + log p(y|x) / r(y).

    Example:
        >>> import torch
        >>> tractable_nwj(torch.zeros(4, 4), torch.zeros(4)).item()
        0.0
    """
    return tuba(_log_ratio(log_p, log_r), 0.0, positives=positives, mask=mask)


def tractable_donsker_varadhan(
    log_p: Conditional, log_r: Marginal, *, positives: Positives = None, mask: Mask = None
) -> Nats:
    """Donsker-Varadhan with the known conditional. A lower bound in the limit; a sample errs up.

        E_p[t] - log E_q[e^t],      t = log p(y|x) - log r(y)

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.2; as `donsker_varadhan`.

    Example:
        >>> import torch
        >>> tractable_donsker_varadhan(torch.zeros(4, 4), torch.ones(4)).item()
        0.0
    """
    return donsker_varadhan(_log_ratio(log_p, log_r), positives=positives, mask=mask)


def barber_agakov(log_q_paired: Marginal, entropy: float | Tensor | None) -> Nats:
    """Barber-Agakov: how well a model q recovers a variable of known entropy. A lower bound.

        E[log q(y|x)] + h(Y)            slack: KL(p(y|x) || q(y|x))

    Errors: InfomaxError if the entropy is not given: without it this is no number of nats.
    Source: Barber, Agakov 2003; Poole et al. 2019, arXiv 1905.06922, section 2.1.

    Example:
        >>> import torch
        >>> round(barber_agakov(torch.zeros(4), entropy=0.6931).item(), 4)
        0.6931
    """
    if entropy is None:
        raise InfomaxError(
            wanted="the entropy h(Y) of the variable that q models, in nats",
            got="None",
            fix="give entropy=… (log of the number of classes, if balanced), or use another bound",
        )
    q = widen(log_q_paired)
    return in_nats(q.mean() + entropy, of="log densities and entropy")


def club(log_p: Conditional, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """CLUB: an upper bound for the true conditional only, and a loose one even then.

        E_p[log p(y|x)] - E_q[log p(y|x)]       linear Gaussian: d ρ²/(1-ρ²), not -d/2 log(1-ρ²)

    E_q leaves the positives out, so that it is without bias. With a learned q: an estimate.

    Source: Cheng et al. 2020, arXiv 2006.12013, theorem 3.1.

    Example:
        >>> import torch
        >>> club(torch.eye(4)).item()
        1.0
    """
    s, positive, columns = paired(log_p, positives, mask)
    negative = others(columns, s.shape[-1], mask)
    return in_nats(positive.mean(-1) - masked_mean(s, (-2, -1), negative), of="log densities")


def _log_ratio(log_p: Tensor, log_r: Tensor) -> Float[Tensor, "... n m"]:
    if log_r.shape != log_p.shape[:-1]:
        raise InfomaxError(
            wanted=f"log r(y_i) for each of the rows of log_p, shape {list(log_p.shape[:-1])}",
            got=f"a tensor of shape {list(log_r.shape)}",
            fix="rows of log_p are the y_i: log_p[i, j] = log p(y_i | x_j)",
        )
    return widen(log_p) - widen(log_r)[..., None]


def _same_shape(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.shape != b.shape or a.numel() == 0:
        raise InfomaxError(
            wanted="one log density of the pair and one of the marginal for every sample",
            got=f"tensors of shape {list(a.shape)} and {list(b.shape)}",
            fix="pass log p(y_i | x_i) and log r(y_i), both of shape [n]",
        )
    return widen(a), widen(b)
