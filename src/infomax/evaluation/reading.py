"""How many nats of many factors a probe reads from a stage: Barber–Agakov, all factors at once.

``I(Z; B) >= H(B) + E[log q(b | z)]`` for any q. B is a class: a label, or the bin of a continuous
factor among bins of equal frequency, so that its entropy is known and the value is a lower bound
for the factor itself too (a bin is a function of it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from infomax.data import SPLITS

BINS = 8
COMPONENTS, HIDDEN = 256, 128
"""Principal components that a probe is given, and units of the larger probe's two layers."""
EPOCHS, STEPS, BATCH = 24, 300, 512
LR, DECAY = 1e-2, 1e-3
DOUBTS = (0.0, 1e-3, 1e-2, 0.1)
"""Weights of the classes' frequencies mixed into a probe: one sure error must not cost too much."""

Classes = Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Reading:
    """Nats of one factor that were read, with a standard error over test contexts."""

    nats: float
    stderr: float
    entropy: float


def binned(
    values: Mapping[str, Float[np.ndarray, " n"]], bins: int = BINS
) -> dict[str, Classes] | None:
    """A continuous factor as bins of equal frequency, cut at the quantiles of the train split.

    A factor of at most so many values keeps them as they are. None if it hardly varies.

    Example:
        >>> values = np.arange(80.0)
        >>> parts = binned({"train": values, "validation": values[:4], "test": values[-4:]})
        >>> np.bincount(parts["train"]).tolist(), parts["test"].tolist()
        ([10, 10, 10, 10, 10, 10, 10, 10], [7, 7, 7, 7])
    """
    train = values["train"]
    # equal up to rounding is equal: batches of other sizes add numbers in another order
    scale = max(float(np.abs(train).max(initial=0.0)), 1e-12)
    rounded = {split: np.round(part / scale, 5) for split, part in values.items()}
    distinct = np.unique(rounded["train"])
    if len(distinct) <= bins:
        cuts = (distinct[1:] + distinct[:-1]) / 2
    else:
        quantiles = np.quantile(rounded["train"], np.arange(1, bins) / bins)
        cuts = np.unique(quantiles)
    found = {split: np.searchsorted(cuts, part, side="right") for split, part in rounded.items()}
    return found if entropy(found["train"]) > 0.1 else None


def entropy(classes: Classes) -> float:
    """Plug-in entropy in nats, ``-sum p log p`` with p the shares of the classes.

    Example:
        >>> round(entropy(np.array([0, 1, 2, 3])), 4)
        1.3863
    """
    p = np.bincount(classes[classes >= 0]) / max(1, (classes >= 0).sum())
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def components(
    features: Mapping[str, Float[Tensor, "n d"]], most: int = COMPONENTS
) -> dict[str, Float[Tensor, "n k"]]:
    """Principal components of the standardized features of train, brought near unit variance."""
    train = features["train"].double()
    mean, std = train.mean(0), train.std(0)
    keep = std > 1e-6 * std.max().clamp_min(1e-12)
    if not bool(keep.any()):
        return {split: part[:, :1] * 0 for split, part in features.items()}
    mean, std = mean[keep], std[keep].clamp_min(0.05 * std[keep].median())
    scaled = (train[:, keep] - mean) / std
    values, directions = torch.linalg.eigh(scaled.mT @ scaled / max(1, len(train) - 1))
    values, directions = values.flip(0)[:most], directions.flip(1)[:, :most]
    real = values > 1e-7 * values[0]
    size = values[real].clamp_min(3e-4 * values[0]).sqrt()
    turn = directions[:, real] / size
    return {
        split: (((part[:, keep].double() - mean) / std) @ turn).float().clamp(-20, 20)
        for split, part in features.items()
    }


class Probes(nn.Module):
    """A linear and a two-layer probe of every factor; both begin at the classes' frequencies."""

    def __init__(self, inputs: int, frequencies: list[Tensor]) -> None:
        super().__init__()
        # neighbours of as many classes go together: a few wide operations, not many small ones
        self.runs = [(k, len(list(run))) for k, run in groupby(map(len, frequencies))]
        outputs = sum(k * factors for k, factors in self.runs)
        self.linear = nn.Linear(inputs, outputs)
        self.hidden = nn.Sequential(
            nn.Linear(inputs, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU()
        )
        self.top = nn.Linear(HIDDEN, outputs)
        with torch.no_grad():
            for head in (self.linear, self.top):
                head.weight.zero_()
                head.bias.copy_(torch.cat(frequencies).log())

    def forward(self, x: Tensor, y: Int[Tensor, "n f"]) -> Float[Tensor, "2 n f"]:
        """Log-probability of the true class, by probe and factor; 0 where there is none."""
        logits = torch.stack([self.linear(x), self.top(self.hidden(x))])
        widths, counts = [k * f for k, f in self.runs], [f for _, f in self.runs]
        parts = zip(self.runs, logits.split_with_sizes(widths, 2), strict=True)
        log_q = [part.reshape(2, len(x), f, k).log_softmax(3) for (k, f), part in parts]
        true = y.clamp_min(0).expand(2, -1, -1).split_with_sizes(counts, 2)
        own = [q.gather(3, t[..., None])[..., 0] for q, t in zip(log_q, true, strict=True)]
        return torch.cat(own, 2) * (y >= 0)


def read(
    features: Mapping[str, Float[Tensor, "n d"]],
    factors: Mapping[str, Mapping[str, Classes]],
    seed: int = 0,
) -> dict[str, Reading]:
    """Nats of each factor read from features: fitted on train, chosen on validation, test reported.

    A linear and a two-layer probe are fitted to all factors at once; for each factor validation
    chooses probe and epoch, or the classes' frequencies where no probe does better (0 nats). The
    entropy is that of the test classes, so the value is, up to its standard error, a lower bound.

    Args:
        features: by split.
        factors: classes by name and split; -1 where a context has none.
        seed: of the probes' first weights and the order of the contexts.

    Example:
        >>> z = {split: torch.randn(400, 3) for split in SPLITS}
        >>> sign = {split: (z[split][:, 0] > 0).long().numpy() for split in SPLITS}
        >>> found = read(z, {"sign": sign})["sign"]
        >>> 0.55 < found.nats <= found.entropy + 0.01
        True
    """
    x = components(features)
    size = {n: 1 + max(int(f[s].max(initial=0)) for s in SPLITS) for n, f in factors.items()}
    names = sorted(factors, key=size.__getitem__)
    y = {s: torch.from_numpy(np.stack([factors[n][s] for n in names], 1)).long() for s in SPLITS}
    counts = [torch.from_numpy(_counts(factors[n]["train"], size[n])) for n in names]
    frequencies = [((c + 0.5) / (c + 0.5).sum()).float() for c in counts]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        probes = Probes(x["train"].shape[1], frequencies)
        best = torch.full((len(names),), -torch.inf)
        kept = {split: torch.zeros(len(x[split]), len(names)) for split in SPLITS[1:]}
        for _ in _epochs(probes, x["train"], y["train"]):
            with torch.no_grad():
                held = probes(x["validation"], y["validation"])
                value, which = held.sum(1).max(0)
                better = value > best
                if bool(better.any()):
                    found = probes(x["test"], y["test"])
                    index = which[better], slice(None), torch.nonzero(better)[:, 0]
                    kept["validation"][:, better] = held[index].mT
                    kept["test"][:, better] = found[index].mT
            best = torch.maximum(best, value)
    readings = {
        name: _reading(
            kept["validation"][:, i].double().numpy(),
            kept["test"][:, i].double().numpy(),
            factors[name],
            frequencies[i].double().numpy(),
        )
        for i, name in enumerate(names)
    }
    return {name: readings[name] for name in factors}


def _reading(
    held: Float[np.ndarray, " v"],
    found: Float[np.ndarray, " t"],
    factor: Mapping[str, Classes],
    frequencies: Float[np.ndarray, " k"],
) -> Reading:
    """Nats on test from the log-probabilities of the true classes, doubt chosen on validation."""
    true = {split: part[part >= 0] for split, part in factor.items()}
    held, found = held[factor["validation"] >= 0], found[factor["test"] >= 0]
    if len(found) < 2:
        return Reading(float("nan"), float("nan"), entropy(true["test"]))

    def doubted(log_q: np.ndarray, split: str, doubt: float) -> np.ndarray:
        mixed = (1 - doubt) * np.exp(log_q) + doubt * frequencies[true[split]]
        logs: np.ndarray = np.log(np.maximum(mixed, 1e-300))
        return logs

    doubt = max(DOUBTS, key=lambda d: doubted(held, "validation", d).sum())
    shares = np.bincount(true["test"]) / len(true["test"])
    gains = doubted(found, "test", doubt) - np.log(shares[true["test"]])
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return Reading(float(gains.mean()), error, entropy(true["test"]))


def _counts(classes: Classes, size: int) -> np.ndarray:
    return np.bincount(classes[classes >= 0], minlength=size).astype(np.float64)


def _epochs(probes: Probes, x: Tensor, y: Tensor) -> Iterator[int]:
    """Train, giving way before the first epoch and after each."""
    yield 0
    batches = max(1, len(x) // BATCH)
    epochs = max(EPOCHS, -(-STEPS // batches))
    every = max(1, epochs // EPOCHS)
    optimizer = torch.optim.AdamW(probes.parameters(), lr=LR, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LR, total_steps=epochs * batches, pct_start=0.1
    )
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(x))
        for part in order.tensor_split(batches):
            loss = -probes(x[part], y[part]).mean(1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch % every == 0 or epoch == epochs:
            yield epoch
