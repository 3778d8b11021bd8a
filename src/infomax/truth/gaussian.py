"""Jointly Gaussian and Student-t pairs: dense, sparse, of any dimension and any target nats."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from infomax._errors import InfomaxError
from infomax.truth.problem import Pairs, Problem


def _log_det(matrix: ndarray) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def _squares(x: ndarray, matrix: ndarray) -> ndarray:
    """The quadratic forms xᵀ M⁻¹ x of the rows of x."""
    out: ndarray = np.einsum("nd,nd->n", x, np.linalg.solve(matrix, x.T).T)
    return out


def _joint_squares(x: ndarray, y: ndarray, covariance: ndarray) -> ndarray:
    """The quadratic forms of all pairs (x_i, y_j) under the joint covariance, [n, m]."""
    dx = x.shape[1]
    precision = np.linalg.inv(covariance)
    own_x = np.einsum("nd,de,ne->n", x, precision[:dx, :dx], x)
    own_y = np.einsum("nd,de,ne->n", y, precision[dx:, dx:], y)
    out: ndarray = own_x[:, None] + own_y + 2 * x @ precision[:dx, dx:] @ y.T
    return out


def from_covariance(name: str, covariance: Float[ndarray, "d d"], dim_x: int) -> Problem:
    """Gaussian pairs, the first `dim_x` columns against the rest.

    I = ½ log(|Σ_x| |Σ_y| / |Σ|).

    Raises:
        InfomaxError: a covariance that is not positive definite.

    Source: Cover & Thomas 2006, section 8.5.

    Example:
        >>> round(from_covariance("pair", np.array([[1.0, 0.75], [0.75, 1.0]]), 1).nats, 4)
        0.4133
    """
    if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] <= 0:
        raise InfomaxError(
            wanted="a symmetric positive definite covariance",
            got=f"{name}, which is not",
            fix="lower the correlations",
        )
    sx, sy = covariance[:dim_x, :dim_x], covariance[dim_x:, dim_x:]
    nats = 0.5 * (_log_det(sx) + _log_det(sy) - _log_det(covariance))
    factor = np.linalg.cholesky(covariance)

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        both = rng.standard_normal((n, len(covariance))) @ factor.T
        return both[:, :dim_x], both[:, dim_x:]

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        apart = _squares(x, sx)[:, None] + _squares(y, sy)
        out: ndarray = nats + 0.5 * (apart - _joint_squares(x, y, covariance))
        return out

    return Problem(name, max(nats, 0.0), dim_x, len(covariance) - dim_x, draw, ratio=ratio)


def dense(dim_x: int, dim_y: int, *, correlation: float = 0.5) -> Problem:
    """Every two of all the variables correlate equally.

    Source: Czyż et al. 2023 (arXiv 2306.11078), section 3.

    Example:
        >>> round(dense(50, 50).nats, 3)
        1.624
    """
    covariance = np.full((dim_x + dim_y,) * 2, correlation)
    np.fill_diagonal(covariance, 1.0)
    return from_covariance(f"multinormal-dense-{dim_x}-{dim_y}-{correlation}", covariance, dim_x)


def sparse(dim_x: int, dim_y: int, *, pairs: int = 2, strength: float = 2.0) -> Problem:
    """The first `pairs` coordinates share a latent of deviation `strength` under unit noise.

    Each of these pairs correlates by s²/(1 + s²); nothing else correlates.

    Source: Czyż et al. 2023 (arXiv 2306.11078), section 3.

    Example:
        >>> round(sparse(25, 25).nats, 3)
        1.022
    """
    covariance = np.eye(dim_x + dim_y)
    for i in range(pairs):
        covariance[i, dim_x + i] = covariance[dim_x + i, i] = strength**2 / (1 + strength**2)
    name = f"multinormal-sparse-{dim_x}-{dim_y}-{pairs}-{strength}"
    return from_covariance(name, covariance, dim_x)


def correlated(
    dim_x: int, dim_y: int, *, nats: float, pairs: int | None = None, mix: int | None = None
) -> Problem:
    """Gaussian pairs with exactly `nats`, spread evenly over `pairs` canonical pairs.

    Each has ρ = √(1 − e^(−2·nats/pairs)).

    Args:
        dim_x: columns of x.
        dim_y: columns of y.
        nats: the mutual information wanted.
        pairs: how many pairs carry it; all min(dim_x, dim_y) by default.
        mix: seed of random invertible mixings of x and of y, which make it dense; None: sparse.

    Raises:
        InfomaxError: negative nats, or more pairs than dimensions.

    Example:
        >>> problem = correlated(20, 20, nats=10.0, mix=0)
        >>> problem.nats
        10.0
    """
    carry = min(dim_x, dim_y) if pairs is None else pairs
    if nats < 0 or not 1 <= carry <= min(dim_x, dim_y):
        raise InfomaxError(
            wanted=f"nats >= 0 over 1 to {min(dim_x, dim_y)} pairs",
            got=f"nats = {nats} over {carry} pairs",
            fix="ask for no more pairs than the smaller dimension",
        )
    covariance = np.eye(dim_x + dim_y)
    for i in range(carry):
        rho = np.sqrt(-np.expm1(-2 * nats / carry))
        covariance[i, dim_x + i] = covariance[dim_x + i, i] = rho
    name = f"correlated-{dim_x}-{dim_y}-{carry}-{nats}"
    if mix is not None:
        rng = np.random.default_rng(mix)
        both = np.zeros_like(covariance)
        both[:dim_x, :dim_x] = invertible(dim_x, rng)
        both[dim_x:, dim_x:] = invertible(dim_y, rng)
        covariance, name = both @ covariance @ both.T, f"{name}-mixed-{mix}"
    exact = from_covariance(name, covariance, dim_x)
    return Problem(name, float(nats), dim_x, dim_y, exact.draw, ratio=exact.ratio)


def invertible(dim: int, rng: np.random.Generator) -> Float[ndarray, "d d"]:
    """Draw a random matrix with singular values from ½ to 2: mixing that loses no digits.

    Example:
        >>> round(float(np.linalg.cond(invertible(5, np.random.default_rng(0)))), 6)
        4.0
    """
    left = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    right = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    out: ndarray = (left * np.geomspace(0.5, 2.0, dim)) @ right
    return out


def student(
    dim_x: int, dim_y: int, *, df: int, dispersion: Float[ndarray, "d d"] | None = None
) -> Problem:
    """Multivariate Student-t pairs: dependent even where nothing correlates.

    I = I_Gauss(dispersion) + c(df, dx) + c(df, dy) − c(df, dx + dy), where c(ν, k) is the entropy
    of a standard Student-t in k dimensions,

        c(ν, k) = log Γ(ν/2) − log Γ((ν+k)/2) + (k/2) log(νπ) + ((ν+k)/2) [ψ((ν+k)/2) − ψ(ν/2)].

    Args:
        dim_x: columns of x.
        dim_y: columns of y.
        df: degrees of freedom ν; tails like |x|^(−ν−1).
        dispersion: of the joint; the identity by default.

    Source: Arellano-Valle et al. 2013, Scand. J. Stat. 40, eq. 7; Czyż et al. 2023
    (arXiv 2306.11078), appendix.

    Example:
        >>> round(student(2, 2, df=1).nats, 4)
        0.4319
    """
    from scipy.special import digamma, gammaln

    def entropy(k: int) -> float:
        half, whole = df / 2, (df + k) / 2
        shape = gammaln(half) - gammaln(whole) + k / 2 * np.log(df * np.pi)
        return float(shape + whole * (digamma(whole) - digamma(half)))

    def log_t(squares: ndarray, k: int) -> ndarray:
        half, whole = df / 2, (df + k) / 2
        constant = gammaln(whole) - gammaln(half) - k / 2 * np.log(df * np.pi)
        out: ndarray = constant - whole * np.log1p(squares / df)
        return out

    total = dim_x + dim_y
    scale = np.eye(total) if dispersion is None else dispersion
    gaussian = from_covariance("dispersion", scale, dim_x)

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        x, y = gaussian.draw(rng, n)
        shrink = np.sqrt(rng.chisquare(df, (n, 1)) / df)
        return x / shrink, y / shrink

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        own_x = log_t(_squares(x, scale[:dim_x, :dim_x]), dim_x)
        own_y = log_t(_squares(y, scale[dim_x:, dim_x:]), dim_y)
        joint = log_t(_joint_squares(x, y, scale), total)
        out: ndarray = gaussian.nats + joint - own_x[:, None] - own_y
        return out

    kind = "identity" if dispersion is None else "dispersed"
    nats = gaussian.nats + entropy(dim_x) + entropy(dim_y) - entropy(total)
    name = f"student-{kind}-{dim_x}-{dim_y}-{df}"
    return Problem(name, nats, dim_x, dim_y, draw, ratio=ratio)
