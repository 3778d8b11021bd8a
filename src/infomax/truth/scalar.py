"""Scalar and discrete pairs: uniform noise, tables, classes with continuous answers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from infomax._errors import InfomaxError
from infomax.truth.problem import Pairs, Problem


def additive_uniform(noise: float) -> Problem:
    """X uniform on [0, 1], Y = X + N with N uniform on [−ε, ε].

    I = ε − log 2ε for ε ≤ ½, and 1/(4ε) beyond.

    Raises:
        InfomaxError: noise <= 0, where the information would be infinite.

    Source: Czyż et al. 2023 (arXiv 2306.11078), appendix.

    Example:
        >>> round(additive_uniform(0.1).nats, 4), round(additive_uniform(0.75).nats, 4)
        (1.7094, 0.3333)
    """
    if noise <= 0:
        raise InfomaxError(wanted="noise > 0", got=f"noise = {noise}", fix="give a positive width")

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        x = rng.random((n, 1))
        return x, x + rng.uniform(-noise, noise, (n, 1))

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        marginal = np.minimum(1.0, y + noise) - np.maximum(0.0, y - noise)  # times 1/2ε
        with np.errstate(divide="ignore"):
            out: ndarray = np.where(
                np.abs(y.T - x) <= noise, -np.log(np.maximum(marginal.T, 0)), -np.inf
            )
        return out

    nats = 1 / (4 * noise) if noise > 0.5 else noise - np.log(2 * noise)
    return Problem(f"1v1-additive-{noise}", float(nats), 1, 1, draw, ratio=ratio)


def censored(correlation: float, at: float = 0.0) -> Problem:
    """Two correlated standard normals of which none is seen below ``at``: X = max(G, at).

    Half of the values are equal where ``at`` is 0, like rain, counts of a rare thing, or what is
    below a limit of detection. By quadrature over what is seen (error below 1e-6), with
    s^2 = 1 - ρ^2 and P the probability of both at the limit:

        P log(P / Φ(at)^2) + 2 ∫ φ(y) Φ(z) log(Φ(z) / Φ(at)) dy + ∫∫ φ(x, y) log-ratio,
        z = (at - ρ y) / s.

    Raises:
        InfomaxError: a correlation of 1 or beyond.

    Source: Tobin 1958, Estimation of relationships for limited dependent variables.

    Example:
        >>> round(censored(0.75).nats, 4), round(censored(0.75, at=-9.0).nats, 4)
        (0.2815, 0.4133)
    """
    from scipy.special import ndtr

    if not abs(correlation) < 1:
        raise InfomaxError(
            wanted="a correlation between -1 and 1",
            got=f"correlation = {correlation}",
            fix="take 0.75, say",
        )
    rho, spread = correlation, np.sqrt(1 - correlation**2)
    below = ndtr(at)

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        g, noise = rng.standard_normal((2, n, 1))
        return np.maximum(g, at), np.maximum(rho * g + spread * noise, at)

    def gaussian(x: ndarray, y: ndarray) -> ndarray:
        bent = rho**2 * (x**2 + y**2) - 2 * rho * x * y
        out: ndarray = -np.log(spread) - bent / (2 * spread**2)
        return out

    def unseen(seen: ndarray) -> ndarray:
        """Log p(the other is at the limit | this one) / p(it is)."""
        out: ndarray = np.log(ndtr((at - rho * seen) / spread)) - np.log(below)
        return out

    node, weight = np.polynomial.legendre.leggauss(400)
    grid = at + (node + 1) / 2 * (9.5 - at)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * weight * (9.5 - at) / 2
    one = density * np.exp(unseen(grid)) * below  # one at the limit, the other seen
    both = max(below - one.sum(), 1e-300)
    log_both = np.log(both) - 2 * np.log(below)
    inner = gaussian(grid[:, None], grid)
    nats = both * log_both + 2 * one @ unseen(grid) + density @ (np.exp(inner) * inner) @ density

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        y = y.T
        out: ndarray = np.where(
            x > at,
            np.where(y > at, gaussian(x, y), unseen(x)),
            np.where(y > at, unseen(y), log_both),
        )
        return out

    return Problem(f"censored-{correlation}-{at}", float(nats), 1, 1, draw, ratio=ratio)


def table(joint: Float[ndarray, "a b"]) -> Problem:
    """Two discrete variables with this joint table of probabilities; values are row and column.

    I = Σ p_ab log(p_ab / (p_a p_b)).

    Raises:
        InfomaxError: negative entries, or a table that does not sum to 1.

    Example:
        >>> round(table(np.eye(4) / 4).nats, 4)
        1.3863
    """
    if (joint < 0).any() or not np.isclose(joint.sum(), 1.0):
        raise InfomaxError(
            wanted="a table of probabilities",
            got=f"a sum of {joint.sum():.4g}, a smallest entry of {joint.min():.4g}",
            fix="divide a table of counts by its sum",
        )
    rows, columns = joint.shape
    with np.errstate(divide="ignore"):
        log_ratio = np.log(joint) - np.log(joint.sum(1, keepdims=True)) - np.log(joint.sum(0))

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        cell = rng.choice(joint.size, size=n, p=joint.ravel())
        return (cell // columns)[:, None], (cell % columns)[:, None]

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        out: ndarray = log_ratio[x[:, 0].astype(int)][:, y[:, 0].astype(int)]
        return out

    nats = float(np.sum(np.where(joint > 0, joint * np.where(joint > 0, log_ratio, 0), 0)))
    return Problem(f"table-{rows}-{columns}", nats, 1, 1, draw, ratio=ratio)


def class_uniform(classes: int = 5) -> Problem:
    """A discrete X in 0 … m−1, a continuous Y uniform on [X, X + 2].

    I = log m − (m − 1)/m · log 2.

    Source: Gao et al. 2017 (arXiv 1709.06212), section 5.

    Example:
        >>> round(class_uniform(5).nats, 4)
        1.0549
    """

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        x = rng.integers(0, classes, (n, 1))
        return x, x + rng.uniform(0.0, 2.0, (n, 1))

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        under = ((y >= 0) & (y < classes)).astype(float) + ((y >= 1) & (y < classes + 1))
        inside = np.floor(y.T - x) // 2 == 0
        with np.errstate(divide="ignore"):
            out: ndarray = np.where(inside, np.log(classes) - np.log(under.T), -np.inf)
        return out

    nats = float(np.log(classes) - (classes - 1) / classes * np.log(2))
    return Problem(f"class-uniform-{classes}", nats, 1, 1, draw, ratio=ratio)


def class_gaussian(means: tuple[float, ...] = (-2.0, 0.0, 2.0)) -> Problem:
    """A discrete X, equally likely; a continuous Y ~ N(means[X], 1).

    I = h(Y) − ½ log 2πe, the entropy of the mixture by quadrature (error below 1e−9).

    Example:
        >>> round(class_gaussian((-9.0, 9.0)).nats, 6)
        0.693147
    """
    centres = np.asarray(means, float)

    def log_parts(y: ndarray) -> ndarray:
        out: ndarray = -0.5 * (y.reshape(-1, 1) - centres) ** 2 - 0.5 * np.log(2 * np.pi)
        return out

    def log_marginal(y: ndarray) -> ndarray:
        out: ndarray = np.logaddexp.reduce(log_parts(y), axis=1) - np.log(len(centres))
        return out

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        x = rng.integers(0, len(centres), (n, 1))
        return x, centres[x] + rng.standard_normal((n, 1))

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        out: ndarray = log_parts(y).T[x[:, 0].astype(int)] - log_marginal(y)
        return out

    grid = np.linspace(centres.min() - 12, centres.max() + 12, 20_001)
    log_p = log_marginal(grid)
    entropy = float(np.trapezoid(-np.exp(log_p) * log_p, grid))
    nats = entropy - 0.5 * float(np.log(2 * np.pi * np.e))
    return Problem(f"class-gaussian-{len(means)}", nats, 1, 1, draw, ratio=ratio)
