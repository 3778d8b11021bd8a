"""Transforms that keep mutual information: each invertible on its own side of the pair.

I(f(X); g(Y)) = I(X; Y) for injective f and g, so an estimator should not notice them; it does.
Source of the choice: Czyż et al. 2023 (arXiv 2306.11078), section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from infomax.truth.gaussian import invertible
from infomax.truth.problem import Pairs, Problem

Map = Callable[[ndarray], ndarray]


@dataclass(frozen=True)
class Transform:
    """An injective map of rows; `inverse` is None where there is no closed form."""

    name: str
    forward: Map
    inverse: Map | None = None
    widens: int = 0  # columns it adds


def transformed(
    problem: Problem, x: Transform | None = None, y: Transform | None = None, name: str = ""
) -> Problem:
    """Apply transforms to x, to y or to both: another problem with the same nats.

    Example:
        >>> from infomax import truth
        >>> cubed = transformed(truth.correlated(1, 1, nats=0.5), x=truth.cube, y=truth.asinh)
        >>> cubed.nats, cubed.name
        (0.5, 'cube|asinh-correlated-1-1-1-0.5')
    """
    forward_x, inverse_x = (x.forward, x.inverse) if x else (_same, _same)
    forward_y, inverse_y = (y.forward, y.inverse) if y else (_same, _same)

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        before_x, before_y = problem.draw(rng, n)
        return forward_x(before_x), forward_y(before_y)

    ratio = None
    if problem.ratio is not None and inverse_x is not None and inverse_y is not None:
        back_x, back_y, base = inverse_x, inverse_y, problem.ratio

        def ratio(after_x: ndarray, after_y: ndarray) -> ndarray:
            return base(back_x(after_x), back_y(after_y))

    names = (x.name if x else "", y.name if y else "")
    prefix = names[0] if names[0] == names[1] else "|".join(names)
    return Problem(
        name or f"{prefix}-{problem.name}",
        problem.nats,
        problem.dim_x + (x.widens if x else 0),
        problem.dim_y + (y.widens if y else 0),
        draw,
        stderr=problem.stderr,
        ratio=ratio,
    )


def _same(values: ndarray) -> ndarray:
    return values


def _cdf(values: ndarray) -> ndarray:
    from scipy.special import ndtr

    out: ndarray = ndtr(values)
    return out


def _quantile(levels: ndarray) -> ndarray:
    from scipy.special import ndtri

    out: ndarray = ndtri(np.clip(levels, 1e-12, 1 - 1e-12))
    return out


asinh = Transform("asinh", np.arcsinh, np.sinh)
cube = Transform("cube", lambda v: v**3, np.cbrt)
half_cube = Transform(
    "half_cube", lambda v: v * np.sqrt(np.abs(v)), lambda v: np.sign(v) * np.abs(v) ** (2 / 3)
)
normal_cdf = Transform("normal_cdf", _cdf, _quantile)
wiggly_x = Transform(
    "wiggly",
    lambda v: v + 0.4 * np.sin(v) + 0.2 * np.sin(1.7 * v + 1) + 0.03 * np.sin(3.3 * v - 2.5),
)
wiggly_y = Transform(
    "wiggly",
    lambda v: (
        v - 0.4 * np.sin(0.4 * v) + 0.17 * np.sin(1.3 * v + 3.5) + 0.02 * np.sin(4.3 * v - 2.5)
    ),
)


def _roll(u: ndarray) -> ndarray:
    t = 1.5 * np.pi * (1 + 2 * u)
    return np.concatenate([t * np.cos(t), t * np.sin(t)], 1) / 21.0


def _unroll(v: ndarray) -> ndarray:
    t = 21.0 * np.linalg.norm(v, axis=1, keepdims=True)
    out: ndarray = (t / (1.5 * np.pi) - 1) / 2
    return out


swiss_roll = Transform("swissroll", _roll, _unroll, widens=1)  # a column in [0, 1] -> two


def spiral(dim: int, *, plane: tuple[int, int] = (0, 1), speed: float = 1.0) -> Transform:
    """Turn each point in one coordinate plane by the angle speed · ‖x‖² / dim.

    Example:
        >>> spiral(2).forward(np.array([[np.sqrt(np.pi), 0.0]])).round(6) + 0.0
        array([[0.      , 1.772454]])
    """
    i, j = plane

    def turn(values: ndarray, way: float) -> ndarray:
        angle = way * speed / dim * np.square(values).sum(1)
        out = values.copy()
        out[:, i] = np.cos(angle) * values[:, i] - np.sin(angle) * values[:, j]
        out[:, j] = np.sin(angle) * values[:, i] + np.cos(angle) * values[:, j]
        return out

    return Transform("spiral", lambda v: turn(v, 1.0), lambda v: turn(v, -1.0))


def mixing(dim: int, *, seed: int = 0) -> Transform:
    """Multiply by a random invertible matrix with singular values from ½ to 2.

    Example:
        >>> rows = np.ones((3, 4))
        >>> m = mixing(4)
        >>> bool(np.allclose(m.inverse(m.forward(rows)), rows))
        True
    """
    matrix = invertible(dim, np.random.default_rng(seed))
    return Transform("mixing", lambda v: v @ matrix.T, lambda v: np.linalg.solve(matrix, v.T).T)


def inverse_cdf(name: str, cdf: Map, low: float, high: float) -> Transform:
    """Send standard normal columns to the law with this distribution function, by bisection.

    Example:
        >>> uniform = inverse_cdf("uniform", lambda v: v, 0.0, 1.0)
        >>> uniform.forward(np.zeros((1, 1))).round(6)
        array([[0.5]])
    """

    def forward(values: ndarray) -> ndarray:
        level = _cdf(values)
        below, above = np.full_like(values, low), np.full_like(values, high)
        for _ in range(60):
            middle = (below + above) / 2
            under = cdf(middle) < level
            below, above = np.where(under, middle, below), np.where(under, above, middle)
        out: ndarray = (below + above) / 2
        return out

    return Transform(name, forward, lambda v: _quantile(cdf(v)))


def two_humps(weight: float, first: float, second: float) -> Transform:
    """Give a standard normal column the margin weight·N(first, 1) + (1 − weight)·N(second, 1).

    Example:
        >>> two_humps(0.5, -1.0, 1.0).forward(np.zeros((1, 1))).round(6) + 0.0
        array([[0.]])
    """
    name = f"bimodal-{weight}-{first}-{second}"
    return inverse_cdf(
        name, lambda v: weight * _cdf(v - first) + (1 - weight) * _cdf(v - second), -10, 10
    )
