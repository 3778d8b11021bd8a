"""The candidates: a name, what it may be called, and how it fits a log-ratio to training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax import bounds
from infomax.critics import GaussianStarted, Separable
from infomax.estimation.choice import Candidate
from infomax.estimation.classes import BoostedRatio, LogisticRatio, TableRatio
from infomax.estimation.elliptical import GaussianRatio, StudentRatio
from infomax.estimation.flow import BROADEST, FlowRatio
from infomax.estimation.groups import BROADEST as BROADEST_GROUPS
from infomax.estimation.groups import Grouped
from infomax.estimation.hurdle import FEW_PATTERNS, HurdleRatio, often
from infomax.estimation.learned import Schedule, learn
from infomax.estimation.mixture import WIDEST, MixtureRatio
from infomax.estimation.ratio import Ratio
from infomax.estimation.scaling import Scale
from infomax.estimation.splits import Part
from infomax.estimation.warped import Warped

_SCALES: tuple[Scale, ...] = ("rank", "standard")
FEWEST = 800
"""Training rows under which no network is tried: it would only be noise."""


def continuous(
    x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"], *, thorough: bool
) -> list[Candidate]:
    """Candidates for two continuous variables, the simplest first.

    Args:
        x: training rows of a fold: how many they are, of what columns.
        y: the paired rows.
        thorough: also the slow ones (flows, joint network, InfoNCE), for a long budget.
    """
    width = x.shape[1] + y.shape[1]
    found = _closed(x, y, (4, 16, 64) if width == 2 else (4, 32))
    if len(x) >= FEWEST:
        if 2 < width <= BROADEST_GROUPS:
            grouped = Grouped(_of_group)
            found.append(Candidate("grouped", grouped, dear=True, stops=True))
        found += [_warped(kind) for kind in _SCALES]
        if thorough:
            found += [_flow(kind) for kind in _SCALES if width <= BROADEST]
            found += [_joint(), _infonce()]
    return found


def _of_group(x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> list[Candidate]:
    """Those for one group of columns; of two, of which there may be many, the quick ones."""
    if x.shape[1] + y.shape[1] == 2:
        return _closed(x, y, (4, 16))
    return [*_closed(x, y, (4, 32)), _warped(_SCALES[0])]


def _closed(
    x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"], mixtures: Sequence[int]
) -> list[Candidate]:
    """Those without a network; mixtures of so many components, where rows are enough."""
    rows, width = len(x), x.shape[1] + y.shape[1]
    found = [
        Candidate("copula-gauss", each(lambda p: GaussianRatio("rank", p.x, p.y))),
        Candidate("gauss", each(lambda p: GaussianRatio("standard", p.x, p.y))),
    ]
    if rows >= 10 * width:
        found.append(Candidate("copula-student", each(lambda p: StudentRatio(p.x, p.y))))
    if width <= FEW_PATTERNS and bool(torch.cat([often(x), often(y)]).isfinite().any()):
        found.append(Candidate("hurdle", each(lambda p: HurdleRatio(p.x, p.y))))
    if width <= WIDEST:
        found += [_mixture(c) for c in mixtures if rows >= 25 * c * width**0.5]
    return found


def discrete(*, x: bool, y: bool) -> list[Candidate]:
    """Candidates where x, y or both are class numbers (one column of them)."""
    if x and y:
        return [Candidate("table", each(lambda p: TableRatio(p.x, p.y)))]
    return [
        Candidate("classes-logistic", each(lambda p: LogisticRatio(p.x, p.y, of_x=x))),
        Candidate(
            "classes-boosted",
            each(lambda p: BoostedRatio(p.x, p.y, of_x=x, seed=p.seed)),
        ),
    ]


def each(fit: Callable[[Part], Ratio]) -> Callable[[Sequence[Part]], Sequence[Ratio]]:
    """Fit the parts one after the other, in a share of their time each."""
    return lambda parts: [fit(replace(p, seconds=p.seconds / len(parts))) for p in parts]


def _mixture(components: int) -> Candidate:
    return Candidate(
        f"copula-mixture-{components}",
        each(lambda p: MixtureRatio(p.x, p.y, components=components, seed=p.seed)),
        dear=components > 4,
    )


def _learned(
    method: str,
    kind: Scale,
    build: Callable[[Tensor, Tensor], nn.Module],
    schedule: Schedule,
    block: int = 1500,
) -> Candidate:
    fit = partial(learn, kind, build, schedule, block=block)
    return Candidate(method, fit, dear=True, stops=True)


def _warped(kind: Scale) -> Candidate:
    learned = _learned(f"warped-dv-{kind}", kind, Warped, Schedule())
    return replace(learned, other_scale=kind != _SCALES[0])


def _flow(kind: Scale) -> Candidate:
    return Candidate(
        f"flow-{kind}",
        each(
            lambda p: FlowRatio(
                kind, (p.x, p.y), (p.x_validation, p.y_validation), seed=p.seed, seconds=p.seconds
            )
        ),
        dear=True,
        stops=True,
        entropies=f"flow-{kind}-entropies",
    )


def _joint() -> Candidate:
    def build(x: Tensor, y: Tensor) -> nn.Module:
        return GaussianStarted(x, y, hidden=(128, 128))

    schedule = Schedule(signal=bounds.JS, steps=600, batch=128, rate=1e-3)
    return _learned("joint-js", "standard", build, schedule, block=200)


def _infonce() -> Candidate:
    def build(x: Tensor, y: Tensor) -> nn.Module:
        critic = Separable(dim=64, hidden=(256, 256))
        with torch.no_grad():
            critic(x[:2], y[:2])
        return critic

    schedule = Schedule(signal=bounds.InfoNCE, steps=600, rate=1e-3)
    return _learned("separable-infonce", "standard", build, schedule)
