"""What linear algebra reaches without training: canonical correlation analysis of two views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from infomax._errors import InfomaxError
from infomax.evaluation.fixed import on_whole_rows
from infomax.evaluation.retrieval import by_cosine, retrieve

RIDGES = (1e-3, 1e-2, 1e-1, 0.5)
"""Shares of the identity in each view's covariance of standardized numbers."""
DIMS = (4, 8, 16, 32, 64, 128)
MOST = 600
"""Validation contexts that a choice is made on."""

Features = Mapping[str, Float[np.ndarray, "_ _"]]


@dataclass(frozen=True)
class CCA:
    """Regularized linear canonical correlation, fitted: two projections into one space.

    With ``Sxx`` shrunk towards the identity by ``ridge``, ``Sxx^(-1/2) Sxy Syy^(-1/2) = U R V'``;
    x is sent to ``R^(1/2) U' Sxx^(-1/2) x`` and y likewise, so that a direction counts by its
    canonical correlation.

    Attributes:
        x: mean and map of the first view.
        y: mean and map of the second.
        correlations: canonical correlations, largest first.

    Source: Hotelling 1936; the ridge: Vinod 1976.
    """

    x: tuple[Float[np.ndarray, " dx"], Float[np.ndarray, "dx k"]]
    y: tuple[Float[np.ndarray, " dy"], Float[np.ndarray, "dy k"]]
    correlations: Float[np.ndarray, " k"]

    def project(
        self,
        x: Float[np.ndarray, "n dx"] | None = None,
        y: Float[np.ndarray, "n dy"] | None = None,
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Both views in the shared space, where their cosine is the score."""
        return (
            None if x is None else (x - self.x[0]) @ self.x[1],
            None if y is None else (y - self.y[0]) @ self.y[1],
        )

    def kept(self, dims: int) -> CCA:
        """The first ``dims`` directions alone."""
        (mx, ax), (my, ay) = self.x, self.y
        return CCA((mx, ax[:, :dims]), (my, ay[:, :dims]), self.correlations[:dims])


def fit_cca(x: Float[np.ndarray, "n dx"], y: Float[np.ndarray, "n dy"], ridge: float = 1e-2) -> CCA:
    """Fit by two eigendecompositions and one SVD, on standardized columns.

    Of fewer rows than columns only what the rows span takes part, and costs.

    Raises:
        InfomaxError: fewer than three pairs, or rows that are not paired.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(2000, 3))
        >>> fit_cca(x, x[:, :2] + x[::-1, :2], ridge=0.0).correlations.round(1)
        array([0.7, 0.7])
    """
    if len(x) != len(y) or len(x) < 3:
        raise InfomaxError(
            wanted="three or more paired rows",
            got=f"{len(x)} and {len(y)} rows",
            fix="give rows of the same contexts",
        )
    sides = []
    for side in (x.astype(np.float64), y.astype(np.float64)):
        mean, std = side.mean(0), side.std(0)
        varies = std > 1e-8 * np.abs(side).max(0)  # beside its own size: columns have their units
        scale = np.where(varies, std, np.inf)
        z = (side - mean) / scale
        if len(z) < z.shape[1]:
            _, singular, axes = np.linalg.svd(z, full_matrices=False)
            values, vectors = singular**2 / len(z), axes.T
        else:
            values, vectors = np.linalg.eigh(z.T @ z / len(z))
        values = (1 - ridge) * values.clip(0) + ridge
        good = values > 1e-10 * values.max()
        whiten = vectors[:, good] / np.sqrt(values[good])
        sides.append((mean, whiten / scale[:, None], z @ whiten))
    (mx, wx, zx), (my, wy, zy) = sides
    u, correlations, v = np.linalg.svd((1 - ridge) * zx.T @ zy / len(zx), full_matrices=False)
    weight = np.sqrt(correlations)
    return CCA((mx, wx @ u * weight), (my, wy @ v.T * weight), correlations)


def choose_cca(x: Features, y: Features) -> CCA:
    """Fit on training rows that are complete; ridge and dimensions by validation retrieval.

    The choice is the one whose mean recall@1, over both directions, is largest among validation
    contexts (up to 600); a tie goes to the lower mean rank.

    Raises:
        InfomaxError: fewer than three training or validation contexts have both views.
    """
    (tx, ty), (vx, vy) = (both(x[split], y[split]) for split in ("train", "validation"))
    vx, vy = vx[:MOST], vy[:MOST]
    best: tuple[tuple[float, float], CCA] | None = None
    for ridge in RIDGES:
        whole = fit_cca(tx, ty, ridge)
        width = len(whole.correlations)
        for dims in sorted({min(dims, width) for dims in DIMS}):
            cca = whole.kept(dims)
            a, b = cca.project(vx, vy)
            assert a is not None
            assert b is not None
            own = np.arange(len(a))
            ways = ((a, b), (b, a))
            to, back = (retrieve(by_cosine(p, r), own) for p, r in ways)
            worth = (
                to.recall[min(to.recall)] + back.recall[min(back.recall)],
                -to.median_rank - back.median_rank,
            )
            if best is None or worth > best[0]:
                best = worth, cca
    assert best is not None
    return best[1]


def both(
    x: Float[np.ndarray, "n dx"], y: Float[np.ndarray, "n dy"]
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are complete in both."""
    there = np.isfinite(x).all(1) & np.isfinite(y).all(1)
    return x[there], y[there]


def projected(cca: CCA, x: Features, y: Features) -> tuple[dict[str, np.ndarray], ...]:
    """Both views of every split in the shared space; NaN where a view is missing."""
    return (
        on_whole_rows(x, lambda rows: np.asarray(cca.project(rows, None)[0])),
        on_whole_rows(y, lambda rows: np.asarray(cca.project(None, rows)[1])),
    )
