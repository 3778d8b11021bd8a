"""Channels Y = m(X) + σ ε: the posterior p(y|x) is a known independent Gaussian, p(y) is not.

These are stochastic encoders whose truth is known: what bounds that need a posterior are proven on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from infomax._errors import InfomaxError
from infomax.truth.problem import Pairs, Problem

LOG_2PI = float(np.log(2 * np.pi))


def _channel(
    name: str,
    nats: float,
    dim: int,
    noise: float,
    draw_x: Callable[[np.random.Generator, int], ndarray],
    mean: Callable[[ndarray], ndarray],
    log_marginal: Callable[[ndarray], ndarray],
    source: float,
    stderr: float = 0.0,
) -> Problem:
    def draw(rng: np.random.Generator, n: int) -> Pairs:
        x = draw_x(rng, n)
        return x, mean(x) + noise * rng.standard_normal((n, dim))

    def posterior(x: ndarray) -> Pairs:
        return mean(x), np.full((len(x), dim), 2 * np.log(noise))

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        m = mean(x)
        square = (m**2).sum(1)[:, None] + (y**2).sum(1) - 2 * m @ y.T
        log_p = -0.5 * square / noise**2 - dim * (np.log(noise) + 0.5 * LOG_2PI)
        out: ndarray = log_p - log_marginal(y)
        return out

    return Problem(name, nats, dim, dim, draw, stderr, ratio, posterior, source)


def gaussian_channel(dim: int, *, nats: float) -> Problem:
    """X ~ N(0, I), Y = X + σ ε, with σ² = 1/(e^(2·nats/dim) − 1).

    Source: Cover & Thomas 2006, section 9.1.

    Example:
        >>> gaussian_channel(20, nats=10.0).nats
        10.0
    """
    noise = float(1 / np.sqrt(np.expm1(2 * nats / dim)))
    total = 1 + noise**2

    def log_marginal(y: ndarray) -> ndarray:
        out: ndarray = -0.5 * (y**2 / total + LOG_2PI + np.log(total)).sum(1)
        return out

    return _channel(
        f"gaussian-channel-{dim}-{nats}",
        float(nats),
        dim,
        noise,
        lambda rng, n: rng.standard_normal((n, dim)),
        lambda x: x,
        log_marginal,
        source=dim * 0.5 * (LOG_2PI + 1),
    )


def _tanh_marginal(noise: float, gain: float) -> tuple[ndarray, ndarray]:
    """Grid of y and log p(y) for Y = tanh(gain·X) + noise·ε, X ~ N(0, 1), by quadrature."""
    nodes = np.linspace(-9, 9, 2001)
    weights = np.exp(-0.5 * nodes**2)
    y = np.linspace(-1 - 9 * noise, 1 + 9 * noise, 1201)
    unit = (y[:, None] - np.tanh(gain * nodes)) / noise
    density = np.exp(-0.5 * unit**2) @ (weights / weights.sum()) / (noise * np.sqrt(2 * np.pi))
    return y, np.log(density)


def _tanh_entropy(gain: float) -> float:
    """h(tanh(gain·X)) = h(X) + E log(gain · sech²(gain·X)), X ~ N(0, 1)."""
    u = np.abs(gain * (nodes := np.linspace(-9, 9, 2001)))
    weights = np.exp(-0.5 * nodes**2)
    log_slope = np.log(gain) + 2 * (np.log(2) - u - np.log1p(np.exp(-2 * u)))
    return 0.5 * (LOG_2PI + 1) + float(weights @ log_slope / weights.sum())


def tanh_channel(dim: int, *, nats: float, gain: float = 2.0) -> Problem:
    """X ~ N(0, I), Y = tanh(gain·X) + σ ε: a two-humped, non-Gaussian p(y), exact nats.

    Coordinates are independent, so I is dim times a one-dimensional entropy less that of the
    noise; both by quadrature, and σ by bisection to the target.

    Raises:
        InfomaxError: more than 2.5 nats a coordinate, where the quadrature is too coarse.

    Example:
        >>> round(tanh_channel(20, nats=10.0).nats, 6)
        10.0
    """
    if not 0 < nats / dim <= 2.5:
        raise InfomaxError(
            wanted="nats above 0, at most 2.5 a coordinate",
            got=f"{nats} nats over {dim} coordinates",
            fix="ask for less, or for more coordinates",
        )

    def each(noise: float) -> float:
        y, log_p = _tanh_marginal(noise, gain)
        entropy = float(np.trapezoid(-np.exp(log_p) * log_p, y))
        return entropy - float(np.log(noise)) - 0.5 * (LOG_2PI + 1)

    low, high = np.log(0.02), np.log(1e2)
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if each(float(np.exp(middle))) > nats / dim else (low, middle)
    noise = float(np.exp((low + high) / 2))
    grid, log_p = _tanh_marginal(noise, gain)

    return _channel(
        f"tanh-channel-{dim}-{nats}",
        dim * each(noise),
        dim,
        noise,
        lambda rng, n: rng.standard_normal((n, dim)),
        lambda x: np.tanh(gain * x),
        lambda y: np.interp(y, grid, log_p).sum(1),
        source=dim * _tanh_entropy(gain),
    )


def mixture_channel(
    dim: int, *, nats: float, components: int = 4, spread: float = 2.0, seed: int = 0
) -> Problem:
    """X from a mixture of Gaussians, Y = X + σ ε; its nats by Monte Carlo, with their error.

    With C the component, I(X; Y) = I(X; Y|C) + I(C; Y). The first has a closed form,
    Σ_c π_c ½ Σ_k log(1 + s²_ck/σ²); the second is E[log p(y|c) − log p(y)] over 200,000 draws, and
    its standard error is small. σ is set so that the sum is near the target; the nats that came
    out are in the problem.

    Args:
        dim: columns of x and y.
        nats: what to aim at.
        components: Gaussians, equally likely, diagonal, of different scales.
        spread: deviation of their means.
        seed: of the means, the scales and the Monte Carlo.

    Source: Kolchinsky & Tracey 2017 (arXiv 1706.02419), section 2, for the decomposition.

    Example:
        >>> problem = mixture_channel(20, nats=10.0)
        >>> abs(problem.nats - 10.0) < 0.01 and problem.stderr < 0.01
        True
    """
    rng = np.random.default_rng(seed)
    means = spread * rng.standard_normal((components, dim)) / np.sqrt(dim) * 2
    variances = rng.uniform(0.3, 1.5, (components, dim))

    def log_parts(y: ndarray, noise: float) -> Float[ndarray, "n c"]:
        total = variances + noise**2
        square = y**2 @ (1 / total).T - 2 * y @ (means / total).T + (means**2 / total).sum(1)
        out: ndarray = -0.5 * (square + (np.log(total) + LOG_2PI).sum(1))
        return out

    def log_marginal(y: ndarray, noise: float) -> ndarray:
        out: ndarray = np.logaddexp.reduce(log_parts(y, noise), axis=1) - np.log(components)
        return out

    def draw_x(rng: np.random.Generator, n: int) -> ndarray:
        c = rng.integers(0, components, n)
        x: ndarray = means[c] + np.sqrt(variances[c]) * rng.standard_normal((n, dim))
        return x

    def component(noise: float, draws: int) -> tuple[float, float]:
        """I(C; Y) and its standard error."""
        rng = np.random.default_rng([seed, 1])
        c = rng.integers(0, components, draws)
        unit = rng.standard_normal((draws, dim))
        y = means[c] + np.sqrt(variances[c] + noise**2) * unit
        gain = log_parts(y, noise)[np.arange(draws), c] - log_marginal(y, noise)
        return float(gain.mean()), float(gain.std() / np.sqrt(draws))

    def within(noise: float) -> float:
        """I(X; Y|C)."""
        return float(0.5 * np.log1p(variances / noise**2).sum(1).mean())

    low, high = np.log(1e-4), np.log(1e2)
    for _ in range(30):
        middle = (low + high) / 2
        over = component(np.exp(middle), 20_000)[0] + within(np.exp(middle)) > nats
        low, high = (middle, high) if over else (low, middle)
    noise = float(np.exp((low + high) / 2))
    value, stderr = component(noise, 200_000)
    entropy = 0.5 * float((np.log(variances) + LOG_2PI + 1).sum(1).mean())

    return _channel(
        f"mixture-channel-{dim}-{nats}",
        value + within(noise),
        dim,
        noise,
        draw_x,
        lambda x: x,
        lambda y: log_marginal(y, noise),
        source=entropy + component(0.0, 200_000)[0],
        stderr=stderr,
    )
