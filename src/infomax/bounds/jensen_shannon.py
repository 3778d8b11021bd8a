"""Bounds trained by telling joint from marginal pairs (Jensen-Shannon): stable to train.

A critic trained this way estimates t = log p(x, y) / p(x)p(y). The training signal itself is no
number of nats of information, so it is never reported: three ways of reading nats off the trained
critic follow. Arguments, E_p and E_q are as in `infomax.bounds.scores`.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from infomax._errors import InfomaxError
from infomax._math import knee, logmeanexp, masked_mean
from infomax.bounds.matrix import in_nats, others, paired
from infomax.bounds.scores import Mask, Nats, Positives, Scores, of_log_ratio


def js_signal(scores: Scores, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """The Jensen-Shannon training signal: maximize this. Not a number of nats of information.

        E_p[-softplus(-f)] - E_q[softplus(f)]

    Source: Nowozin, Cseke, Tomioka 2016, arXiv 1606.00709; Hjelm et al. 2019, arXiv 1808.06670,
    eq. 4.

    Example:
        >>> round(js_signal(torch.zeros(4, 4)).item(), 4)   # -2 log 2: nothing learned
        -1.3863
    """
    return in_nats(_signal(scores, positives, mask), of="scores")


def js(scores: Scores, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """The value in nats of a critic trained with `js_signal`: NWJ of f + 1. A lower bound.

        E_p[f] - E_q[e^f] + 1           best critic: f = log p(x, y) / p(x)p(y)

    The best Jensen-Shannon critic is the log-ratio itself where NWJ's is one more, hence the shift.

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.2 (NWJ of a Jensen-Shannon critic).

    Example:
        >>> js(torch.zeros(4, 4)).item()
        0.0
    """
    s, positive, columns = paired(scores, positives, mask)
    return in_nats(of_log_ratio(s, positive, columns, mask), of="scores")


def js_tight(
    scores: Scores,
    anchor: float | None = None,
    *,
    positives: Positives = None,
    mask: Mask = None,
) -> Nats:
    """The most information that the Jensen-Shannon signal alone proves, without any E_q[e^f].

        nats = I with  c(e^{-I}) = -js_signal,     c(q) = (1 + q) log(1 + q) - q log q

    Among all pairs of laws with one Jensen-Shannon divergence, P = (1, 0), Q = (q, 1 - q) has the
    least KL, -log q; its best cross-entropy is c(q). The curve is convex, so its tangent at any
    `anchor` (a guess of I in nats, made on other data) is a lower bound without bias:

        anchor + (c(q) + js_signal) / (q log(1 + 1/q)),     q = e^{-anchor}

    Without an anchor the curve itself is read: the highest of those tangents on this very sample,
    which is biased up a little (an estimate), though the curve lies below the truth as a rule.
    Variance stays small where NWJ's is e^I; the price is slack, since no Gaussian is that P, Q.

    Source: Dorent, Golland, Wells 2025, arXiv 2510.20644; c(q) is derived above and checked against
    the joint range of the two divergences (Harremoës, Vajda 2011, arXiv 1007.0097) in the tests.

    Example:
        >>> round(js_tight(torch.zeros(4, 4)).item(), 4)    # nothing learned, nothing proven
        0.0
    """
    signal = _signal(scores, positives, mask)
    if anchor is None:
        at = _least_information(-signal.detach())
    elif anchor >= 0:
        at = torch.full_like(signal, anchor)
    else:
        raise InfomaxError(
            wanted="an anchor of 0 nats or more", got=f"{anchor}", fix="guess I on other data"
        )
    at = at.clamp(max=knee(signal.dtype))
    q = (-at).exp()
    # log(1 + 1/q) = anchor + log(1 + q), and q times it is minus the slope of c in I.
    slope = q * (at + q.log1p())
    cross_entropy = q.log1p() + slope
    return in_nats(at + (cross_entropy + signal) / slope, of="scores")


def smile(
    scores: Scores, clip: float = 5.0, *, positives: Positives = None, mask: Mask = None
) -> Nats:
    """SMILE: Donsker-Varadhan with the exponentials clipped. An estimate, on neither side.

        E_p[f] - log E_q[clip(e^f, e^{-τ}, e^{τ})]      τ = clip; train f with `js_signal`

    Clipping only the second term removes variance and adds bias of either sign.

    Source: Song, Ermon 2020, arXiv 1910.06222, I_SMILE.

    Example:
        >>> smile(torch.full((4, 4), 9.0), clip=5.0).item()     # independent, yet 4 "nats"
        4.0
    """
    if not clip > 0:
        raise InfomaxError(wanted="a clip τ above 0", got=f"{clip}", fix="clip=1 and 5 are usual")
    s, positive, columns = paired(scores, positives, mask)
    negative = others(columns, s.shape[-1], mask)
    log_z = logmeanexp(s.clamp(-clip, clip), (-2, -1), negative)
    return in_nats(positive.mean(-1) - log_z, of="scores")


def _signal(scores: Tensor, positives: Positives, mask: Mask) -> Float[Tensor, "..."]:
    s, positive, columns = paired(scores, positives, mask)
    negative = others(columns, s.shape[-1], mask)
    return -softplus(-positive).mean(-1) - masked_mean(softplus(s), (-2, -1), negative)


def _least_information(cross_entropy: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Invert c(e^{-I}) by bisection; 0 where the cross-entropy is that of guessing or worse."""
    low = torch.zeros_like(cross_entropy)
    high = torch.full_like(cross_entropy, knee(cross_entropy.dtype))
    for _ in range(40):
        middle = (low + high) / 2
        q = (-middle).exp()
        more = q.log1p() + q * (middle + q.log1p()) > cross_entropy
        low, high = torch.where(more, middle, low), torch.where(more, high, middle)
    return torch.where(cross_entropy < 2 * math.log(2), low, 0.0)
