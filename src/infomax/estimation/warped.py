"""The learned candidate: warp each side, then be Gaussian; plus a low-rank rest.

    f(x, y) = log-ratio of a Gaussian (a(x), b(y); ρ) + <g(x), h(y)> / √k + u(x) + v(y)

a and b start as the canonical variables and learn a residual; g, h, u, v start at nothing. Every
term is separable, so all pairs of a batch cost two small networks and one product: the partition
function of each step runs over 250,000 pairs, and training is steady where a joint network, which
sees a thousand pairs for that price, overfits.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax import bounds
from infomax.estimation.ratio import Ratio, hold
from infomax.estimation.scaling import Scale, scaling
from infomax.gaussian import canonical, products, shrunk_correlation

CAPPED = 20_000
"""Training rows whose largest value caps the log-ratio."""


class Radial(nn.Module):
    """Add to the columns of z their radius and the columns times it: r = mean z², [z, log r …].

    The radius is what rotations and heavy tails depend on, and what a network of 128 units is
    slowest to find.
    """

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n 2*d+2"]:
        """Shape [n, 2 d + 2]."""
        r = z.square().mean(1, keepdim=True)
        bent = (z * (r - 1)).clamp(-10, 10)
        return torch.cat([z, torch.log(r + 0.01) / 2, r.clamp(max=10) - 1, bent], 1)


class Warped(nn.Module):
    """The critic of this module's formula, on scaled rows.

    Args:
        x: scaled training rows; the start is their canonical correlation.
        y: the paired rows.
        width: units of the two hidden layers of each side.
        rank: k, products of free features.

    Example:
        >>> x = torch.randn(900, 2, generator=torch.Generator().manual_seed(0))
        >>> Warped(x, x + x.flip(1))(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    def __init__(
        self,
        x: Float[Tensor, "n dx"],
        y: Float[Tensor, "n dy"],
        *,
        width: int = 128,
        rank: int = 16,
    ) -> None:
        super().__init__()
        z = torch.cat([x, y], 1).double()
        wx, wy, rho = (part.to(x.dtype) for part in canonical(shrunk_correlation(z), x.shape[1]))
        self.wx, self.wy = nn.Parameter(wx), nn.Parameter(wy)
        self.rho = nn.Parameter(torch.atanh(rho))
        self.pairs, self.rank = len(rho), rank
        self.of_x = _tower(x.shape[1], self.pairs + rank + 1, width)
        self.of_y = _tower(y.shape[1], self.pairs + rank + 1, width)
        # a, b start canonical; g is random and h zero: nothing yet, but it can learn
        _silence(self.of_x, [*range(self.pairs), -1])
        _silence(self.of_y, list(range(self.pairs + rank + 1)))

    def forward(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Scores of all pairs, in nats."""
        split = [self.pairs, self.rank, 1]
        warp_x, g, u = self.of_x(x).split(split, 1)
        warp_y, h, v = self.of_y(y).split(split, 1)
        rho = torch.tanh(self.rho).clamp(max=1 - 1e-4)
        tight = 1 - rho.square()
        a, b, own = x @ self.wx + warp_x, y @ self.wy + warp_y, rho.square() / (2 * tight)
        left = torch.cat([a * (rho / tight), g / math.sqrt(self.rank)], 1)
        ends = (u.squeeze(1) - a.square() @ own).unsqueeze(1) + v.squeeze(1) - b.square() @ own
        scores: Tensor = products(left, torch.cat([b, h], 1)) + ends - 0.5 * tight.log().sum()
        return scores


def _tower(inputs: int, outputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        Radial(),
        nn.Linear(2 * inputs + 2, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, outputs),
    )


def _silence(tower: nn.Sequential, outputs: list[int]) -> None:
    """Start these outputs of a tower at zero."""
    last = tower[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight[outputs] = 0
        last.bias.zero_()


@dataclass(frozen=True)
class Schedule:
    """How a critic is trained: steps of AdamW on all pairs of a batch, weights averaged."""

    signal: bounds.Bound = field(default_factory=lambda: bounds.DonskerVaradhan)
    steps: int = 800
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1.0
    every: int = 25  # steps between two looks at validation
    patience: int = 5  # looks without a better one, after which training stops


def _height(progress: float) -> float:
    """The learning rate's share at a share of the steps, or of the time: up for a tenth, down."""
    up = progress / 0.1
    down = 0.5 + 0.5 * math.cos(math.pi * min((progress - 0.1) / 0.9, 1.0))
    return min(up, 1.0) if progress < 0.1 else down


class Learned(Ratio):
    """A critic after training: its log-ratio on rows as they come, and its learning curve.

    Args:
        kind: the scale of its inputs.
        build: (scaled x, scaled y) -> critic, from the training rows.
        schedule: how to train it.
        train: training rows (x, y).
        validation: rows that stop the training (x, y); the best average of weights is kept.
        seed: of batches and weights; the caller's random state is left as it was.
        until: `time.perf_counter()` after which to stop.
    """

    def __init__(
        self,
        kind: Scale,
        build: Callable[[Tensor, Tensor], nn.Module],
        schedule: Schedule,
        train: tuple[Tensor, Tensor],
        validation: tuple[Tensor, Tensor],
        *,
        seed: int,
        until: float = math.inf,
        block: int = 1500,
    ) -> None:
        self.block = block
        self.scaling = scaling(kind, *train)
        x, y = self.scaling.x(train[0]).float(), self.scaling.y(train[1]).float()
        self.curve: list[tuple[int, float, float]] = []
        self.cap = math.inf
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critic = build(x, y)
            self._train(schedule, x, y, validation, until)
        self.critic.eval()
        with torch.no_grad():
            cuts = range(0, min(len(x), CAPPED), block)
            self.cap = max(float(self.critic(x[c : c + block], y[c : c + block]).diagonal().max())
                           for c in cuts)  # fmt: skip

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs, never above its largest value on a training pair.

        Beyond that a network only extrapolates, and one wild pair would carry E_q[e^f].
        """
        with torch.no_grad():
            scores: Tensor = self.critic(self.scaling.x(x).float(), self.scaling.y(y).float())
        return scores.clamp(max=self.cap)

    def _train(
        self,
        schedule: Schedule,
        x: Tensor,
        y: Tensor,
        validation: tuple[Tensor, Tensor],
        until: float,
    ) -> None:
        critic, batch = self.critic, min(schedule.batch, len(x))
        optimizer = torch.optim.AdamW(
            critic.parameters(), lr=schedule.rate, weight_decay=schedule.decay, fused=True
        )
        begun = time.perf_counter()
        mean = copy.deepcopy(critic).eval()
        self.critic = mean  # so that `matrix` looks at the averaged weights
        best, kept, since = self._worth(validation), copy.deepcopy(mean.state_dict()), 0
        order = torch.randperm(len(x))
        at = 0
        for step in range(1, schedule.steps + 1):
            if at + batch > len(x):
                order, at = torch.randperm(len(x)), 0
            rows = order[at : at + batch]
            at += batch
            spent = (time.perf_counter() - begun) / max(until - begun, 1e-9)
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate * _height(max(step / schedule.steps, spent))
            loss = schedule.signal.loss(critic(x[rows], y[rows]))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(critic.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                keep = min(0.98, (1 + step) / (10 + step))
                for slow, quick in zip(mean.parameters(), critic.parameters(), strict=True):
                    slow.lerp_(quick, 1 - keep)
            if step % schedule.every == 0:
                value = self._worth(validation)
                self.curve.append((step, -loss.item(), value))
                since += 1
                if value > best:
                    best, kept, since = value, copy.deepcopy(mean.state_dict()), 0
                if since >= schedule.patience:
                    break
            if time.perf_counter() > until:
                break
        mean.load_state_dict(kept)

    def _worth(self, validation: tuple[Tensor, Tensor]) -> float:
        """Held-out nats for early stopping: DV, or InfoNCE where DV is not to be believed."""
        held = hold(self, *validation)
        return held.dv if held.resolved else float(held.nce.mean())
