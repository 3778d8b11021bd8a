"""Problems of other kinds than the forty tasks: copulas, angles, products, gates, mixed sources.

Their information is exact where that is known, and a mean over two million draws, or an integral
over their histogram, where it is not (good to two thousandths of a nat).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal, special, stats

from infomax import truth
from infomax.truth import Problem

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
MANY = 2_000_000


def known(name: str, dims: tuple[int, int], nats: float, draw: Draw) -> Problem:
    """A problem from a sampler and what it is known to share."""
    return Problem(name, float(nats), *dims, draw)


def measured(name: str, dims: tuple[int, int], log_ratio: Callable, draw: Draw) -> Problem:
    """A problem whose nats are the mean of its log-ratio over many draws."""
    return known(name, dims, log_ratio(*draw(np.random.default_rng(0), MANY)).mean(), draw)


def added(of: np.ndarray, noise: stats.rv_continuous) -> float:
    """I(M; M + noise) for draws of M: h(M + noise) - h(noise), by convolving their histogram."""
    reach = 12 * noise.std()
    step, low = noise.std() / 40, of.min() - reach
    edges = np.arange(low, of.max() + reach, step)
    weight, _ = np.histogram(of, edges)
    kernel = noise.pdf(step * np.arange(-int(reach / step), int(reach / step) + 1))
    density = signal.fftconvolve(weight / len(of), kernel, mode="same").clip(1e-300)
    return -(density * np.log(density)).sum() * step - noise.entropy()


def clayton(theta: float = 3.0) -> Problem:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        u, w = rng.random((2, n, 1))
        return u, ((w ** (-theta / (1 + theta)) - 1) * u**-theta + 1) ** (-1 / theta)

    def log_ratio(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        joint = (2 + 1 / theta) * np.log(u**-theta + v**-theta - 1)
        return np.log1p(theta) - (1 + theta) * np.log(u * v) - joint

    return measured(f"clayton-{theta:g}", (1, 1), log_ratio, draw)


def frank(theta: float = 8.0) -> Problem:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        u, w = rng.random((2, n, 1))
        inner = w * np.expm1(-theta) / (w + (1 - w) * np.exp(-theta * u))
        return u, -np.log1p(inner) / theta

    def log_ratio(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        whole = -np.expm1(-theta)
        joint = whole - np.expm1(-theta * u) * np.expm1(-theta * v)
        return np.log(theta * whole) - theta * (u + v) - 2 * np.log(joint)

    return measured(f"frank-{theta:g}", (1, 1), log_ratio, draw)


def angles(count: int, kappa: float = 4.0, *, as_points: bool) -> Problem:
    """Angles with von Mises noise, as numbers that wrap or as points on circles."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        a = rng.uniform(-np.pi, np.pi, (n, count))
        b = a + rng.vonmises(0, kappa, (n, count))
        if as_points:
            return tuple(np.concatenate([np.cos(v), np.sin(v)], 1) for v in (a, b))
        return a, (b + np.pi) % (2 * np.pi) - np.pi

    dim = count * (2 if as_points else 1)
    nats = count * (np.log(2 * np.pi) - stats.vonmises(kappa).entropy())
    return known(f"{count}-angles-{'points' if as_points else 'wrapped'}", (dim, dim), nats, draw)


def of_columns(name: str, dim: int, mean: Callable, noise: float = 0.3) -> Problem:
    """Y = mean(X) + noise, X standard normal in so many columns."""
    source = mean(np.random.default_rng(2).standard_normal((MANY, dim)))

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal((n, dim))
        return x, mean(x)[:, None] + noise * rng.standard_normal((n, 1))

    return known(name, (dim, 1), added(source, stats.norm(scale=noise)), draw)


def times_noise(spread: float = 0.5) -> Problem:
    """Y = X e^(noise), X normal: the sign, and log|X| + noise."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal((n, 1))
        return x, x * np.exp(spread * rng.standard_normal((n, 1)))

    size = np.log(np.abs(np.random.default_rng(2).standard_normal(MANY)))
    return known("times-noise", (1, 1), np.log(2) + added(size, stats.norm(scale=spread)), draw)


def switched(noise: float = 0.3) -> Problem:
    """Y is one of two columns, by a coin that nobody sees."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x, coin = rng.standard_normal((n, 2)), rng.random((n, 1)) < 0.5
        return x, np.where(coin, x[:, :1], x[:, 1:]) + noise * rng.standard_normal((n, 1))

    def log_ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        given = stats.norm.pdf(y, x, noise).mean(1)
        return np.log(given) - stats.norm.logpdf(y[:, 0], 0, np.hypot(1, noise))

    return measured("switched", (2, 1), log_ratio, draw)


def rates(count: int = 4) -> Problem:
    """A rate from a Gamma, and waiting times at that rate."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.gamma(2, size=(n, 1))
        return x, rng.exponential(1 / x, (n, count))

    def log_ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        total, rate = y.sum(1), x[:, 0]
        marginal = special.gammaln(2 + count) - (2 + count) * np.log1p(total)
        return count * np.log(rate) - rate * total - marginal

    return measured(f"rates-{count}", (1, count), log_ratio, draw)


def windows(length: int = 10, memory: float = 0.9) -> Problem:
    """The past and the future of a first-order autoregression: -½ log(1 - a²), at the border."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        z = rng.standard_normal((n, 2 * length))
        z[:, 0] /= np.sqrt(1 - memory**2)
        for t in range(1, 2 * length):
            z[:, t] += memory * z[:, t - 1]
        return z[:, :length], z[:, length:]

    return known(f"windows-{length}", (length, length), -0.5 * np.log(1 - memory**2), draw)


def mixed(problem: Problem) -> Problem:
    """A problem whose columns, on each side, are random sums of the columns that there were."""
    ways = truth.mixing(problem.dim_x, seed=1), truth.mixing(problem.dim_y, seed=2)
    return truth.transformed(problem, *ways, name=f"mixed-{problem.name}")


def laplace(dim: int = 8) -> Problem:
    """Laplace sources seen in Laplace noise of half the size."""
    source = np.random.default_rng(2).laplace(size=MANY)

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        s = rng.laplace(size=(n, dim))
        return s, s + 0.5 * rng.laplace(size=(n, dim))

    return known(f"laplace-{dim}", (dim, dim), dim * added(source, stats.laplace(scale=0.5)), draw)


def shares(noise: float = 0.5) -> Problem:
    """Three shares of a whole, seen twice: the logarithms of their odds are normal."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal((n, 3))
        return tuple(
            special.softmax(v, axis=1) for v in (x, x + noise * rng.standard_normal((n, 3)))
        )

    return known("shares-3", (3, 3), np.log((1 + noise**2) / noise**2), draw)


def other_tasks() -> list[Problem]:
    """All of them."""
    pairs = truth.correlated(10, 10, nats=3.0)
    wave = of_columns("fast-wave-3", 3, lambda x: np.sin(4 * np.pi * stats.norm.cdf(x[:, 0])))
    return [
        clayton(),
        frank(),
        angles(1, as_points=False),
        angles(2, as_points=True),
        times_noise(),
        of_columns("norm-5", 5, lambda x: np.log(np.square(x).sum(1))),
        of_columns("product", 2, lambda x: x.prod(1)),
        of_columns("gate", 3, lambda x: np.where(x[:, 1] > 0, x[:, 0], x[:, 2])),
        wave,
        switched(),
        rates(),
        windows(),
        shares(),
        mixed(truth.transformed(pairs, truth.normal_cdf, truth.normal_cdf)),
        mixed(truth.transformed(pairs, truth.half_cube, truth.half_cube)),
        mixed(truth.transformed(truth.sparse(15, 15), truth.normal_cdf, truth.normal_cdf)),
        mixed(laplace()),
    ]


if __name__ == "__main__":
    for task in other_tasks():
        print(f"{task.name:40s} {task.nats:.4f}")
