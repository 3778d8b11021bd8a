"""Shortcuts: how far low-level factors of the two ends alone go towards the value of an edge.

The critic is replaced by one that sees only the low-level factors of what each end's encoder is
given (after augmentation), and contrasts as many candidates. Where it reaches nearly the value of
the edge, brightness and colour would do: nothing makes the encoders learn more than them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax import bounds, gaussian
from infomax.critics import Separable
from infomax.data import SPLITS, Contexts
from infomax.evaluation.nats import Summary
from infomax.evaluation.profile import sample
from infomax.evaluation.reading import Classes, binned, entropy
from infomax.evaluation.stages import low_level, whole_input
from infomax.heldout import SEED, batch_size
from infomax.objective import Edge, Measured, Objective
from infomax.pairing import arrange
from infomax.posteriors.fitting import ascend
from infomax.records import Shortcut, Term
from infomax.views import View

Score = Callable[[Tensor, Tensor], Tensor]
Ends = Mapping[str, tuple[Float[Tensor, "n d"], Float[Tensor, "n e"]]]
STEPS, BATCH, EVERY = 300, 256, 30
SINGLES = 5
"""Single factors that are named."""
TEMPERS = (1.0, 0.7, 0.4)


def shortcuts(
    objective: Objective,
    terms: Sequence[Term],
    contexts: Contexts,
    batch: int,
    watch: Callable[[str], None] = lambda words: None,
) -> list[Shortcut]:
    """Value low-level factors alone on the maximized edges that contrast contexts.

    Edges whose negatives lie within the same context have no such shortcut: these factors are
    the same for all of them.

    Args:
        objective: the edges.
        terms: their held-out values, in the same order.
        contexts: the data, split as for training.
        batch: contexts in a batch, so that both values have one K.
        watch: told what is being done.
    """
    found = []
    known: dict[tuple[View, View], Shortcut | None] = {}
    for term, value in zip(objective.terms, terms, strict=True):
        edge = term.edge
        plain = edge.bound.needs == "scores" and edge.negatives == "batch" and not edge.joint
        if term.weight <= 0 or not plain:
            continue
        given = whole_input(edge.a), whole_input(edge.b)
        if given not in known:
            watch(f"shortcuts between {edge.a} and {edge.b}")
            known[given] = _between(*given, contexts, batch)
        shortcut = known[given]
        if shortcut is not None:
            share = max(0.0, shortcut.nats) / value.nats if value.nats > 0 else math.nan
            share = min(1.0, share) if math.isfinite(share) else math.nan
            ends = str(edge.a), str(edge.b)
            found.append(replace(shortcut, between=ends, edge_nats=value.nats, share=share))
    return found


def _between(a: View, b: View, contexts: Contexts, batch: int) -> Shortcut | None:
    rows = {split: sample(contexts, split, a.signal, b.signal) for split in SPLITS}
    values = {split: low_level([a, b], contexts, split, rows[split]) for split in SPLITS}
    names = [sorted(side) for side in values["train"]]
    size = batch_size(len(next(iter(values["test"][0].values()), ())), batch)
    if not all(names) or size < 8:
        return None
    stacked = {
        split: tuple(
            torch.stack([part[name] for name in mine], 1).float()
            for part, mine in zip(values[split], names, strict=True)
        )
        for split in SPLITS
    }
    knots = [gaussian.rank_knots(part) for part in stacked["train"]]
    even: Ends = {
        split: tuple(gaussian.gaussianize(p, *k) for p, k in zip(parts, knots, strict=True))  # type: ignore[misc]
        for split, parts in stacked.items()
    }
    score = _best_critic(even, same=a is b)
    summary = Summary(Edge((a, b), bounds.InfoNCE, torch.nn.Identity()))
    order = torch.randperm(len(even["test"][0]), generator=torch.Generator().manual_seed(SEED))
    for part in torch.split(order, size):
        if len(part) == size:
            x, y = (side[part] for side in even["test"])
            with torch.no_grad():
                summary.add(Measured(arrange(x, y), (score(x, y),)))
    return Shortcut(
        between=(str(a), str(b)),
        nats=summary.nats,
        stderr=summary.stderr,
        ceiling=summary.ceiling or math.nan,
        edge_nats=math.nan,
        share=math.nan,
        same_input=a is b,
        factors={} if a is b else _singles(values, names),
    )


def _best_critic(even: Ends, *, same: bool) -> Score:
    """The better on validation of a Gaussian critic in closed form and a trained one."""
    x, y = even["train"]
    correlation = gaussian.shrunk_correlation(torch.cat([x, y], 1).double()).float()
    steady = correlation + 1e-4 * torch.eye(len(correlation))
    wx, wy, rho = gaussian.canonical(steady, x.shape[1])
    scores: list[Score] = [
        lambda u, v, t=temper: t * gaussian.gaussian_log_ratio(u @ wx, v @ wy, rho)  # type: ignore[misc]
        for temper in TEMPERS
    ]
    if not same:
        scores.append(_trained(even))
    return max(scores, key=lambda score: _value(score, even["validation"]))


@torch.no_grad()
def _value(score: Score, ends: tuple[Tensor, Tensor]) -> float:
    parts = zip(*(torch.split(side, BATCH) for side in ends), strict=True)
    values = [(float(bounds.InfoNCE.value(score(x, y))), len(x)) for x, y in parts if len(x) > 1]
    return sum(value * n for value, n in values) / sum(n for _, n in values)


def _trained(even: Ends) -> Score:
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        critic = Separable(dim=32, hidden=(64,))
        x, y = even["train"]
        critic(x[:2], y[:2])

        def drawn() -> Tensor:
            part = torch.randint(len(x), (min(BATCH, len(x)),))
            return -bounds.InfoNCE.loss(critic(x[part], y[part]))

        def held() -> Tensor:
            return torch.tensor(_value(critic, even["validation"]))

        optimizer = torch.optim.AdamW(critic.parameters(), lr=5e-3, weight_decay=1e-2)
        slope = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        ascend(critic, drawn, held, optimizer, slope, steps=STEPS, every=EVERY)
    return critic


def _singles(
    values: Mapping[str, list[dict[str, Tensor]]], names: list[list[str]]
) -> dict[str, float]:
    """The factors that share most, each with its best partner at the other end (by validation)."""
    cut: list[dict[str, dict[str, Classes]]] = []
    for side, mine in enumerate(names):
        parts = {n: binned({s: values[s][side][n].numpy() for s in SPLITS}) for n in mine}
        cut.append({name: classes for name, classes in parts.items() if classes is not None})
    best: dict[str, tuple[float, str]] = {}
    for one, other in product(*cut):
        value = shared(cut[0][one], cut[1][other], "validation")
        if value > best.get(one, (0.01, ""))[0]:
            best[one] = value, other
    found = {}
    for one, (_, other) in best.items():
        nats = shared(cut[0][one], cut[1][other], "test")
        if nats > 0.01:
            found[one if one == other else f"{one} - {other}"] = nats
    ranked = sorted(found.items(), key=lambda item: -item[1])[:SINGLES]
    return dict(ranked)


def shared(a: Mapping[str, Classes], b: Mapping[str, Classes], split: str) -> float:
    """Nats between two classes: the table of train tells b from a, ``H(B) + E[log q(b | a)]``.

    Example:
        >>> a = {s: np.arange(4000) % 4 for s in SPLITS}
        >>> constant = {s: 0 * v for s, v in a.items()}
        >>> round(shared(a, a, "test"), 2), abs(round(shared(a, constant, "test"), 2))
        (1.38, 0.0)
    """
    size = 1 + max(int(side[s].max()) for side in (a, b) for s in SPLITS)
    table = np.bincount(a["train"] * size + b["train"], minlength=size * size).reshape(size, size)
    marginal = (table.sum(0) + 0.5) / (table.sum() + 0.5 * size)
    q = (table + marginal * size) / (table.sum(1, keepdims=True) + size)
    return float(np.log(q[a[split], b[split]]).mean() + entropy(b[split]))
