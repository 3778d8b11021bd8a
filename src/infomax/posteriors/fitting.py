"""Maximum likelihood for every marginal and head, stopped by a held-out tenth."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax.posteriors.marginals import Marginal


def fit(
    model: nn.Module,
    y: Tensor,
    x: Float[Tensor, "n ... dx"] | None = None,
    *,
    steps: int = 1000,
    batch: int = 256,
    lr: float = 1e-3,
    seed: int = 0,
) -> float:
    """Maximize mean log r(y), or mean log q(y|x) if x is given; keep the best on a held-out tenth.

    A marginal is started from its closed form first, and never ends worse than that on the
    held-out tenth.

    Args:
        model: a marginal, or (with x) a head.
        y: samples, one a row (class numbers for `ClassHead`); or [n, draws, d], several draws
            of each context, which stay on the same side of the split.
        x: what y is conditioned on, with the same axes.
        steps: steps of Adam, its learning rate falling to zero along a cosine.
        batch: samples a step.
        lr: learning rate at the start.
        seed: of the split and of the batches.

    Returns:
        The best mean log-likelihood on the held-out tenth, in nats.

    Raises:
        InfomaxError: fewer than twenty samples.

    Example:
        >>> from infomax.posteriors import GaussianMarginal
        >>> y = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> -3.2 < fit(GaussianMarginal(2), y, steps=10) < -2.5
        True
    """
    if len(y) < 20:
        raise InfomaxError(
            wanted="twenty samples or more", got=f"{len(y)}", fix="give more samples"
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=generator).to(y.device)
    held, train = order[: len(y) // 10], order[len(y) // 10 :]

    def log_likelihood(rows: Tensor) -> Tensor:
        given: Tensor = model(y[rows]) if x is None else model(x[rows]).log_prob(y[rows])
        return given.mean()

    def drawn() -> Tensor:
        rows = torch.randint(len(train), (batch,), generator=generator)
        return log_likelihood(train[rows.to(y.device)])

    if isinstance(model, Marginal):
        model.start(y[train].flatten(0, -2))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    every = max(1, steps // 20)
    return ascend(
        model, drawn, lambda: log_likelihood(held), optimizer, schedule, steps=steps, every=every
    )


def ascend(
    model: nn.Module,
    drawn: Callable[[], Tensor],
    held: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    steps: int,
    every: int,
    until: float = math.inf,
) -> float:
    """Climb a value step by step; the state best on held-out samples stays in the model.

    Args:
        model: what is fitted.
        drawn: what to climb, such as the mean log-likelihood of training samples drawn anew.
        held: that of the held-out samples.
        optimizer: of the model's parameters.
        schedule: of its learning rate, moved once a step.
        steps: the most that are taken.
        every: steps between two looks at the held-out samples; the last step is looked at too.
        until: `time.perf_counter()` after which to stop.

    Returns:
        The best held-out value, the one before the first step included.

    Example:
        >>> at = torch.nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(at.parameters(), lr=0.1)
        >>> fall = torch.optim.lr_scheduler.ConstantLR(optimizer)
        >>> peak = lambda: -(at.weight - 3).square().mean()
        >>> round(ascend(at, peak, peak, optimizer, fall, steps=200, every=10), 4)
        -0.0
    """
    with torch.no_grad():
        best, kept = held().item(), copy.deepcopy(model.state_dict())
    for step in range(1, steps + 1):
        loss = -drawn()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        late = time.perf_counter() > until
        if step % every == 0 or step == steps or late:
            with torch.no_grad():
                value = held().item()
            if value > best:
                best, kept = value, copy.deepcopy(model.state_dict())
        if late:
            break
    model.load_state_dict(kept)
    return best
