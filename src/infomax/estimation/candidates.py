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
from infomax.estimation.choice import Candidate, Record, led, lost
from infomax.estimation.classes import BoostedRatio, LogisticRatio, TableRatio
from infomax.estimation.elliptical import GaussianRatio, StudentRatio
from infomax.estimation.flow import BROADEST, FlowRatio
from infomax.estimation.groups import BROADEST as BROADEST_GROUPS
from infomax.estimation.groups import Grouped, straight
from infomax.estimation.hurdle import FEW_PATTERNS, HurdleRatio, often
from infomax.estimation.learned import Lesson, Schedule
from infomax.estimation.mixture import BROADEST as BROADEST_MIXTURE
from infomax.estimation.mixture import WIDEST, MixtureRatio
from infomax.estimation.ratio import Ratio
from infomax.estimation.scaling import Scale
from infomax.estimation.splits import Part
from infomax.estimation.trees import BROADEST as BROADEST_TREES
from infomax.estimation.trees import FEWEST as FEWEST_TREES
from infomax.estimation.trees import GLANCED, TreesRatio
from infomax.estimation.unmixed import Fit, Unmixed, sought
from infomax.estimation.warped import Warped

_SCALES: tuple[Scale, ...] = ("rank", "standard")
_ELLIPTICAL = ("copula-gauss", "gauss", "copula-student")
_UNMIXED = "unmixed-gauss"
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
    rows, width = len(x), x.shape[1] + y.shape[1]
    found = _elliptical(x, y)
    if 2 < width <= BROADEST_GROUPS:
        found.append(Candidate("grouped", Grouped(_of_group), dear=True, stops=True))
        if _UNMIXED in [candidate.method for candidate in found]:
            found.append(_of_sources("unmixed-grouped", Grouped(_of_group)))
            if rows >= FEWEST:
                found.append(_of_sources("unmixed-warped-dv", Lesson("rank", Warped)))
    found += _mixtures(rows, width, (4, 16, 64) if width == 2 else (4, 16, 32))
    if rows >= FEWEST:
        found += [_warped(kind) for kind in _SCALES]
    if rows >= FEWEST_TREES and width <= BROADEST_TREES:
        found += _trees(rows, [candidate.method for candidate in found])
    if rows >= FEWEST and thorough:
        found += [_flow(kind) for kind in _SCALES if width <= BROADEST]
        found += [_joint(), _infonce()]
    return found


def _of_group(x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> list[Candidate]:
    """Those for one group of columns; of two, of which there may be many, the quick ones."""
    width = x.shape[1] + y.shape[1]
    found = _elliptical(x, y) + _mixtures(len(x), width, (4, 16) if width == 2 else (4, 16, 32))
    return found if width == 2 or len(x) < FEWEST else [*found, _warped(_SCALES[0])]


def _elliptical(x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> list[Candidate]:
    """Those of one shape, in closed form; where a value comes often, what that adds."""
    rows, width = len(x), x.shape[1] + y.shape[1]
    found = [
        Candidate("copula-gauss", each(lambda p: GaussianRatio("rank", p.x, p.y))),
        Candidate("gauss", each(lambda p: GaussianRatio("standard", p.x, p.y))),
    ]
    if rows >= 10 * width:
        student = each(lambda p: StudentRatio(p.x, p.y))
        found.append(Candidate("copula-student", student, needs="scipy.special"))
    if sought(x, y):
        fit = Unmixed(each(lambda p: GaussianRatio("rank", p.x, p.y)))
        like, needs = found[0].method, "sklearn.decomposition"
        found.append(Candidate(_UNMIXED, fit, dear=True, after=like, needs=needs))
    if width <= FEW_PATTERNS and bool(torch.cat([often(x), often(y)]).isfinite().any()):
        found.append(Candidate("hurdle", each(lambda p: HurdleRatio(p.x, p.y))))
    return found


def _of_sources(method: str, fit: Fit) -> Candidate:
    """A dear one, of sources: left out unless a Gaussian of them is better than one of columns."""

    def spare(ran: Sequence[Record]) -> bool:
        return not led([*_ELLIPTICAL, _UNMIXED], ran)

    return Candidate(method, Unmixed(fit), dear=True, stops=True, after=_UNMIXED, spare=spare)


def discrete(*, x: bool, y: bool) -> list[Candidate]:
    """Candidates where x, y or both are class numbers (one column of them)."""
    if x and y:
        return [Candidate("table", each(lambda p: TableRatio(p.x, p.y)))]
    return [
        Candidate(
            "classes-logistic",
            each(lambda p: LogisticRatio(p.x, p.y, of_x=x)),
            needs="sklearn.linear_model",
        ),
        Candidate(
            "classes-boosted",
            each(lambda p: BoostedRatio(p.x, p.y, of_x=x, seed=p.seed)),
            needs="sklearn.ensemble",
        ),
    ]


def each(fit: Callable[[Part], Ratio]) -> Callable[[Sequence[Part]], Sequence[Ratio]]:
    """Fit the parts one after the other, in a share of their time each."""
    return lambda parts: [fit(replace(p, seconds=p.seconds / len(parts))) for p in parts]


def _mixtures(rows: int, width: int, sizes: Sequence[int]) -> list[Candidate]:
    """Clusters that are alike (on both scales), and Gaussians each of its own shape.

    As many as rows allow, and more only as long as fewer have not lost.
    """
    found: list[Candidate] = []
    if 2 < width <= BROADEST_MIXTURE:
        forms: list[tuple[str, int, Scale]] = [
            ("copula-clusters-8", 8, "rank"),
            ("copula-clusters-32", 32, "rank"),
            ("clusters-32", 32, "standard"),
        ]
        line = [
            _mixture(name, components, kind=kind, alike=True)
            for name, components, kind in forms
            if rows >= 25 * components
        ]
        found += [replace(c, spare=straight) for c in line[:1]] + _growing(line)[1:]
    if width <= WIDEST:
        fitting = [c for c in sizes if rows >= 25 * c * width**0.5]
        found += _growing([_mixture(f"copula-mixture-{c}", c) for c in fitting])
    return found


def _growing(line: Sequence[Candidate]) -> list[Candidate]:
    """A line of candidates, each left out once the one before it has lost; the first is not."""
    names = [*_ELLIPTICAL, *(candidate.method for candidate in line)]
    return [
        replace(
            c,
            dear=True,
            after=line[k - 1].method,
            spare=partial(lost, names[: len(_ELLIPTICAL) + k]),
        )
        if k
        else c
        for k, c in enumerate(line)
    ]


def _mixture(
    method: str, components: int, *, kind: Scale = "rank", alike: bool = False
) -> Candidate:
    def fit(p: Part) -> Ratio:
        return MixtureRatio(p.x, p.y, components=components, seed=p.seed, kind=kind, alike=alike)

    return Candidate(method, each(fit), needs="sklearn.mixture")


def _trees(rows: int, others: Sequence[str]) -> list[Candidate]:
    """Trees; of many rows only once some of the rows have shown that they do not lose."""
    trees = Candidate(
        "trees", each(TreesRatio), dear=True, spare=straight, needs="sklearn.ensemble"
    )
    if rows <= 2 * GLANCED:
        return [trees]
    few = replace(trees, method=f"trees-{GLANCED}", fit=each(partial(TreesRatio, most=GLANCED)))
    return [few, replace(trees, after=few.method, spare=partial(lost, [*others, few.method]))]


def _warped(kind: Scale) -> Candidate:
    return _learned(f"warped-dv-{kind}", Lesson(kind, Warped))


def _learned(method: str, lesson: Lesson) -> Candidate:
    return Candidate(method, lesson, dear=True, stops=True)


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
    return _learned("joint-js", Lesson("standard", build, schedule, block=200))


def _infonce() -> Candidate:
    def build(x: Tensor, y: Tensor) -> nn.Module:
        critic = Separable(dim=64, hidden=(256, 256))
        with torch.no_grad():
            critic(x[:2], y[:2])
        return critic

    schedule = Schedule(signal=bounds.InfoNCE, steps=600, rate=1e-3)
    return _learned("separable-infonce", Lesson("standard", build, schedule))
