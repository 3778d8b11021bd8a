"""Critics learned by steps of AdamW, several at once, each on rows of its own.

A step of a small critic is mostly the cost of calling operations, which more threads within an
operation do not lower; so the processor's cores are shared out to the critics of several folds.
Weights and the order of batches come from each part's seed: how many train at once changes no more
than the rounding of sums.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters
from torch.optim.adamw import adamw

from infomax import bounds
from infomax.estimation.ratio import Ratio, hold
from infomax.estimation.scaling import Scale, scaling
from infomax.estimation.splits import Part

CAPPED = 20_000
"""Training rows whose largest value caps the log-ratio."""

_TURN = Lock()

Build = Callable[[Tensor, Tensor], nn.Module]


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

    def height(self, progress: float) -> float:
        """The learning rate at a share of the steps, or of the time: up for a tenth, down."""
        up = progress / 0.1
        down = 0.5 + 0.5 * math.cos(math.pi * min((progress - 0.1) / 0.9, 1.0))
        return self.rate * (min(up, 1.0) if progress < 0.1 else down)


@dataclass(frozen=True)
class Lesson:
    """What is learned, and how: called with parts, a critic for each, all at once (`learn`).

    Args:
        kind: the scale of the inputs.
        build: (scaled x, scaled y) -> critic, from the training rows.
        schedule: how it is trained.
        block: rows whose pairs are all looked at together.
    """

    kind: Scale
    build: Build
    schedule: Schedule = field(default_factory=Schedule)
    block: int = 1500

    def __call__(self, parts: Sequence[Part]) -> Sequence[Learned]:
        """Train a critic for each part."""
        return learn([self] * len(parts), parts)


class Learned(Ratio):
    """A critic and its log-ratio on rows as they come; `train` teaches it, `learn` several.

    Args:
        lesson: what critic.
        part: training rows, which the start is made from, and its seed. The caller's random state
            is left as it was.
    """

    def __init__(self, lesson: Lesson, part: Part) -> None:
        self.schedule, self.block = lesson.schedule, lesson.block
        self.scaling = scaling(lesson.kind, part.x, part.y)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(part.seed)
            self.critic = lesson.build(*self._scaled(part.x, part.y)).eval()
        self.curve: list[tuple[int, float, float]] = []
        self.cap = math.inf

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs, never above its largest value on a training pair.

        Beyond that a network only extrapolates, and one wild pair would carry E_q[e^f].
        """
        with torch.no_grad():
            scores: Tensor = self.critic(*self._scaled(x, y))
        return scores.clamp(max=self.cap)

    def train(self, part: Part, seconds: float, stop: Event) -> None:
        """Train the critic until told; the average of its weights best on validation is kept."""
        begun, schedule = time.perf_counter(), self.schedule
        x, y = self._scaled(part.x, part.y)
        batches = _batches(x, y, min(schedule.batch, len(x)), part.seed)
        quick = copy.deepcopy(self.critic)  # its parameters and their gradients are two vectors
        now = torch.cat([p.detach().flatten() for p in quick.parameters()])
        slope, moments, steps = torch.zeros_like(now), torch.zeros(2, len(now)), torch.zeros(())
        average = now.clone()
        for critic, vector in ((quick, now), (self.critic, average)):
            vector_to_parameters(vector, critic.parameters())
        for parameter, part_of in zip(quick.parameters(), _like(slope, quick), strict=True):
            parameter.grad = part_of
        best, kept, since = self._worth(part), average.clone(), 0
        for step in range(1, schedule.steps + 1):
            spent = (time.perf_counter() - begun) / max(seconds, 1e-9)
            loss = schedule.signal.loss(quick(*next(batches)))
            slope.zero_()
            torch.autograd.backward(loss)
            slope.div_(slope.norm().clamp_min(1.0))
            adamw(
                [now], [slope], [moments[0]], [moments[1]], [], [steps],
                lr=schedule.height(max(step / schedule.steps, spent)), beta1=0.9, beta2=0.999,
                eps=1e-8, weight_decay=schedule.decay, amsgrad=False, maximize=False, fused=True,
            )  # fmt: skip
            average.lerp_(now, 1 - min(0.98, (1 + step) / (10 + step)))
            if step % schedule.every == 0:
                value = self._worth(part)
                self.curve.append((step, -loss.item(), value))
                since += 1
                if value > best:
                    best, kept, since = value, average.clone(), 0
                if since >= schedule.patience:
                    break
            if stop.is_set() or spent > 1:
                break
        vector_to_parameters(kept, self.critic.parameters())
        with torch.no_grad():
            cuts = range(0, min(len(x), CAPPED), self.block)
            pairs = (slice(cut, cut + self.block) for cut in cuts)
            self.cap = max(float(self.critic(x[c], y[c]).diagonal().max()) for c in pairs)

    def _scaled(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.scaling.x(x).float(), self.scaling.y(y).float()

    def _worth(self, part: Part) -> float:
        """Held-out nats for early stopping."""
        return hold(self, part.x_validation, part.y_validation).steady


def learn(lessons: Sequence[Lesson], parts: Sequence[Part]) -> list[Learned]:
    """Train a critic for each lesson on its part, as many at once as torch has threads.

    Args:
        lessons: what is learned.
        parts: the rows that each is fitted to, and the seconds for all.

    Example:
        >>> from infomax.estimation.warped import Warped
        >>> x = torch.randn(900, 2, generator=torch.Generator().manual_seed(0)).double()
        >>> part = Part(x, x + x.flip(1), x[:100], (x + x.flip(1))[:100], seed=0)
        >>> one, two = learn([Lesson("rank", Warped, Schedule(steps=25))] * 2, [part, part])
        >>> bool(torch.equal(one.matrix(x[:3], x[:5]), two.matrix(x[:3], x[:5])))
        True
    """
    learned = [Learned(lesson, part) for lesson, part in zip(lessons, parts, strict=True)]
    stop = Event()
    with _TURN:  # the number of threads is the whole process's
        threads = torch.get_num_threads()
        at_once = max(1, min(threads, len(parts)))
        turns = -(-len(parts) // at_once)

        def train(one: Learned, part: Part) -> None:
            one.train(part, part.seconds / turns, stop)

        share = partial(torch.set_num_threads, threads // at_once)
        try:
            with ThreadPoolExecutor(at_once, initializer=share) as pool:
                try:
                    for _ in pool.map(train, learned, parts):
                        pass
                finally:  # Ctrl-C, too, waits for no more than the steps that are under way
                    stop.set()
        finally:
            torch.set_num_threads(threads)
    return learned


def _batches(x: Tensor, y: Tensor, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of paired rows without end, every row once before any comes again."""
    order = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randperm(len(x), generator=order)
        for at in range(0, len(x) - size + 1, size):
            some = rows[at : at + size]
            yield x[some], y[some]


def _like(vector: Float[Tensor, " p"], module: nn.Module) -> list[Tensor]:
    """A vector cut into the shapes of a module's parameters, not copied."""
    sizes = [p.numel() for p in module.parameters()]
    shapes = [p.shape for p in module.parameters()]
    return [
        part.view(shape) for part, shape in zip(vector.split_with_sizes(sizes), shapes, strict=True)
    ]
