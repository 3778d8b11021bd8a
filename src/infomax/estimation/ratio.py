"""A fitted log-ratio, and what it is worth on rows it has not seen: bounds with their errors.

Every candidate ends as a `Ratio` f(x, y) ~ log p(x, y)/(p(x) p(y)). Whatever f is,

    NWJ:      E_p[f] - c - (E_q[e^(f - c)] - 1)        c fixed beforehand (on validation)
    InfoNCE:  E_p[f_ii - log (1/K) Σ_j e^(f_ij)]        never above log K, but always steady

are lower bounds; E_q runs over *all* pairs of a block of rows. NWJ is used where its partition
function is resolved, InfoNCE where it is not.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

RESOLVED = 400.0
"""Effective number of pairs under which a partition function counts as not resolved."""


class Ratio(ABC):
    """A model of log p(x, y)/(p(x) p(y)), for all pairs of two sets of rows."""

    block = 1500  # rows whose pairs are all looked at together

    @abstractmethod
    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """f(x_i, y_j) of all pairs, in nats."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say of a value that rests on this model, beyond its name."""
        return ()

    def log_partition(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> float | None:
        """Give log E_q[e^f] where the model knows it better than the pairs do."""
        return None


@dataclass(frozen=True)
class Held:
    """A log-ratio on one set of rows: its values, and what each row adds to them."""

    positive: Float[Tensor, " n"]  # f(x_i, y_i)
    mass: Float[Tensor, " n"]  # e^(-c) · mean over the partners of row i, as x and as y, of e^f
    nce: Float[Tensor, " n"]  # the terms of InfoNCE
    partition: float  # e^(-c) E_q[e^f]
    centre: float  # c
    effective: float  # how many pairs carry the partition function, (Σ e^f)² / Σ e^(2f); and how
    # many lie where the joint does, pairs · e^(-DV), if they are fewer: all, of a flat f, tell none
    pairs: int
    block: int
    known: float | None = None  # log E_q[e^f] as the model knows it, where pairs do not resolve it

    @property
    def mean(self) -> float:
        """E_p[f]."""
        return float(self.positive.mean())

    @property
    def log_partition(self) -> float:
        """Value of log E_q[e^f]: as the model knows it, or as far as pairs are believed."""
        if self.known is not None:
            return self.known
        return _believed(self.centre + math.log(max(self.partition, 1e-300)), self.effective)

    @property
    def dv(self) -> float:
        """Donsker-Varadhan: E_p[f] - log E_q[e^f]; an estimate on a sample."""
        return self.mean - self.log_partition

    @property
    def steady(self) -> float:
        """Donsker-Varadhan, or InfoNCE where that is not to be believed."""
        return self.dv if self.resolved else float(self.nce.mean())

    @property
    def resolved(self) -> bool:
        """Whether enough pairs carry the partition function to believe it."""
        return self.effective >= min(RESOLVED, self.pairs / 4)

    @property
    def terms(self) -> Float[Tensor, " n"]:
        """Terms whose mean is NWJ and whose spread, over rows, is its error (first order)."""
        return self.positive - self.centre - (2 * self.mass - self.partition) + 1


def hold(
    ratio: Ratio,
    x: Float[Tensor, "n dx"],
    y: Float[Tensor, "n dy"],
    centre: float | None = None,
) -> Held:
    """Evaluate a log-ratio on paired rows and on all their pairs, block by block.

    Args:
        ratio: the fitted model.
        x: rows it has not seen (or, to know its optimism, rows it has).
        y: the paired rows.
        centre: c; None takes log E_q[e^f] of these rows, which makes NWJ equal DV, but not below 0
            where few pairs show it.
    """
    n = len(x)
    parts = max(1, round(n / ratio.block))
    cuts = [n * part // parts for part in range(parts + 1)]
    blocks = []
    with torch.no_grad():
        for low, high in pairwise(cuts):
            blocks.append(_block(ratio.matrix(x[low:high], y[low:high]).double()))
    logs = torch.cat([block.mass for block in blocks])
    pairs = sum((high - low) * (high - low - 1) for low, high in pairwise(cuts))
    log_z = float(torch.logsumexp(logs, 0)) - math.log(n)
    log_squares = float(torch.logsumexp(torch.tensor([block.squares for block in blocks]), 0))
    positive = torch.cat([block.positive for block in blocks])
    log_pairs = math.log(max(pairs, 1))
    there = log_pairs - (float(positive.mean()) - log_z)  # torn pairs where the joint is
    log_effective = min(2 * (log_z + log_pairs) - log_squares, there)
    effective = math.exp(min(max(log_effective, 0.0), 700.0))  # one at least, if all underflow
    c = _believed(log_z, effective) if centre is None else centre
    found = Held(
        positive=positive,
        mass=(logs - c).exp(),
        nce=torch.cat([block.nce for block in blocks]),
        partition=math.exp(min(log_z - c, 700.0)),
        centre=c,
        effective=effective,
        pairs=pairs,
        block=n // parts,
    )
    return found if found.resolved else replace(found, known=ratio.log_partition(x, y))


def _believed(shown: float, effective: float) -> float:
    """What to take for log E_q[e^f] when so many pairs carry what they show.

    If they are few, those that would make it large may be missing: then it is not taken to be below
    0, what it is of a log-ratio, for what is missing is no information.
    """
    return shown if effective >= RESOLVED else max(shown, 0.0)


@dataclass(frozen=True)
class _Block:
    positive: Tensor
    mass: Tensor  # in logs
    nce: Tensor
    squares: float  # log Σ e^(2f)


def _block(f: Float[Tensor, "k k"]) -> _Block:
    """One block of all pairs, its diagonal the positives; the exponential is taken once."""
    positive, k = f.diagonal().clone(), len(f)
    top = float(f.max())
    e = (f - top).exp_()
    own = e.diagonal().clone()
    e.fill_diagonal_(0.0)
    rows, columns, tiny = e.sum(1), e.sum(0), 1e-300
    log_rows, log_columns = ((others + own + tiny).log() + top for others in (rows, columns))
    return _Block(
        positive=positive,
        mass=((rows + columns) / (2 * max(k - 1, 1)) + tiny).log() + top,
        nce=positive - 0.5 * (log_rows + log_columns).clamp_min(-600.0) + math.log(k),
        squares=math.log(float(e.flatten().dot(e.flatten())) + tiny) + 2 * top,
    )


@dataclass(frozen=True)
class Bounded:
    """The lower bound over all folds."""

    nats: float
    stderr: float
    ceiling: float | None
    resolved: bool


def bounded(folds: Sequence[Held]) -> Bounded:
    """Pool the folds: NWJ if every partition function is resolved, InfoNCE otherwise.

    The standard error is that of the rows' terms: NWJ's are linearized in the partition function,
    a two-sample U-statistic, so that its error is in them.
    """
    steady = all(fold.resolved for fold in folds)
    terms = torch.cat([fold.terms if steady else fold.nce for fold in folds])
    return Bounded(
        nats=float(terms.mean()),
        stderr=float(terms.std() / math.sqrt(len(terms))) if len(terms) > 1 else math.inf,
        ceiling=None if steady else math.log(min(fold.block for fold in folds)),
        resolved=steady,
    )
