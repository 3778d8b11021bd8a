"""Flows: each side bent to a Gaussian by maximum likelihood, both together a Gaussian.

    q(x, y) = N(a(x), b(y); R) |a'(x)| |b'(y)|,     a, b invertible splines

Its marginals have the same a and b, so the log-ratio is the Gaussian one of a(x) and b(y): all
pairs of a block cost one pass of each flow. As a critic it is judged like any other, and its NWJ is
a lower bound. E_p[f] = H(q_x) + H(q_y) - H(q_xy), crossed with the data, is a difference of
entropies: an estimate, on neither side, reported beside it and never chosen.
"""

from __future__ import annotations

import math
import time

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax.estimation.ratio import Ratio
from infomax.estimation.scaling import Scale, scaling
from infomax.gaussian import canonical, gaussian_log_ratio, shrunk_correlation
from infomax.posteriors.fitting import ascend

BROADEST = 12  # columns of x and y together, above which its fit takes minutes


class FlowRatio(Ratio):
    """The log-ratio of a pair of flows that end in one Gaussian.

    Trained on the likelihood of the pairs; the state best on validation is kept, and its
    correlation is fitted anew in closed form.

    Args:
        kind: the scale of its inputs.
        train: training rows (x, y).
        validation: rows that choose the state (x, y).
        seed: of batches and weights; the caller's random state is left as it was.
        seconds: after which to stop.
        steps: steps of AdamW.

    Source: Butakov et al. 2024, Mutual information estimation via normalizing flows
    (arXiv 2403.02187); difference of entropies: McAllester & Stratos 2020 (1811.04251).

    Example:
        >>> x = torch.randn(900, 2, generator=torch.Generator().manual_seed(0)).double()
        >>> pairs = x, x + x.flip(1)
        >>> FlowRatio("rank", pairs, pairs, seed=0, steps=2).matrix(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    def __init__(
        self,
        kind: Scale,
        train: tuple[Tensor, Tensor],
        validation: tuple[Tensor, Tensor],
        *,
        seed: int,
        seconds: float = math.inf,
        steps: int = 400,
    ) -> None:
        until = time.perf_counter() + seconds
        self.scaling = scaling(kind, *train)
        x, y = self._scaled(*train)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _Flows(x, y)
            _train(model, (x, y), self._scaled(*validation), steps, until)
        self.flow_x, self.flow_y = model.flow_x, model.flow_y
        with torch.no_grad():
            ends = [model.bend(x, y)[k].double() for k in (0, 1)]
        self.mean = [end.mean(0) for end in ends]
        self.scale = [end.std(0) for end in ends]
        self.wx, self.wy, self.rho = canonical(shrunk_correlation(torch.cat(ends, 1)), x.shape[1])

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        x, y = self._scaled(x, y)
        with torch.no_grad():
            a = self.flow_x().transform(x).double()
            b = self.flow_y().transform(y).double()
        a, b = (a - self.mean[0]) / self.scale[0], (b - self.mean[1]) / self.scale[1]
        return gaussian_log_ratio(a @ self.wx, b @ self.wy, self.rho)

    def _scaled(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.scaling.x(x).float(), self.scaling.y(y).float()


class _Flows(nn.Module):
    """Two flows and the Cholesky factor of the precision of what they make of x and y together."""

    def __init__(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> None:
        from infomax.posteriors.flow import identity_spline_flow

        super().__init__()
        self.flow_x = identity_spline_flow(x.shape[1], 0, 2, 64)
        self.flow_y = identity_spline_flow(y.shape[1], 0, 2, 64)
        correlation = shrunk_correlation(torch.cat([x, y], 1).double())
        self.factor = nn.Parameter(
            torch.linalg.cholesky(torch.linalg.inv(correlation)).to(x.dtype)
        )  # fmt: skip

    def bend(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give a(x), b(y), and the log-determinant of both."""
        a, log_x = self.flow_x().transform.call_and_ladj(x)
        b, log_y = self.flow_y().transform.call_and_ladj(y)
        return a, b, log_x + log_y

    def forward(self, x: Tensor, y: Tensor) -> Float[Tensor, ""]:
        """Mean log-likelihood of pairs, up to a constant."""
        a, b, logs = self.bend(x, y)
        factor = self.factor.tril()
        white = torch.cat([a, b], 1) @ factor
        mean: Tensor = (logs - 0.5 * white.square().sum(1)).mean()
        return mean + factor.diagonal().abs().log().sum()


def _train(
    model: _Flows,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    steps: int,
    until: float,
) -> None:
    def drawn() -> Tensor:
        rows = torch.randint(len(train[0]), (512,))
        value: Tensor = model(train[0][rows], train[1][rows])
        return value

    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    slope = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.1)
    ascend(
        model,
        drawn,
        lambda: model(*validation),
        optimizer,
        slope,
        steps=steps,
        every=25,
        until=until,
    )
