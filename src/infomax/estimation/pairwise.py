"""The map of a data set: nats between every two views, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from infomax._errors import InfomaxError
from infomax.estimation.answer import estimate
from infomax.estimation.inputs import columns
from infomax.estimation.portfolio import Watch
from infomax.estimation.result import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pairwise:
    """All estimates between the views of a data set; `table()` gives one of their numbers.

    Args:
        views: names, in order.
        estimates: (first, second) -> estimate, each pair once.
    """

    views: tuple[str, ...]
    estimates: Mapping[tuple[str, str], Estimate]

    def table(self) -> pd.DataFrame:
        """The symmetric matrix of `nats`, views by views; the diagonal is empty."""
        import pandas as pd

        matrix = pd.DataFrame(float("nan"), index=list(self.views), columns=list(self.views))
        for (a, b), found in self.estimates.items():
            matrix.loc[a, b] = matrix.loc[b, a] = found.nats
        return matrix

    def details(self) -> pd.DataFrame:
        """One row a pair: nats, low, high, lower_bound, lower_limit, method, verdict."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "first": a,
                    "second": b,
                    "nats": found.nats,
                    "low": found.interval[0],
                    "high": found.interval[1],
                    "lower_bound": found.lower_bound,
                    "lower_limit": found.lower_limit,
                    "method": found.method,
                    "verdict": found.verdict,
                }
                for (a, b), found in self.estimates.items()
            ]
        )

    def to_html(self) -> str:
        """A heat map with the intervals in it, one self-contained page."""
        from infomax.estimation.drawing import heat_map

        return heat_map(self.views, self.estimates)


def pairwise(
    views: Mapping[str, object],
    *,
    level: float = 0.95,
    seed: int = 0,
    budget: float | None = None,
    max_dropped: float = 0.1,
    progress: Watch = lambda done, total, words: None,
) -> Pairwise:
    """Estimate the mutual information between every two views, rows paired across all of them.

    Args:
        views: name -> [n, d], as `estimate` takes them.
        level: confidence of each interval.
        seed: as in `estimate`.
        budget: seconds for all pairs together; None: fixed work.
        max_dropped: as in `estimate`.
        progress: called with (pairs done, pairs, names).

    Raises:
        InfomaxError: fewer than two views, or views of different lengths.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(300, 2))
        >>> pairwise({"a": x, "b": x[:, :1] ** 3 + x[:, 1:], "c": x[::-1]}).table().shape
        (3, 3)
    """
    lengths = {name: len(columns(data, name)[0]) for name, data in views.items()}
    if len(views) < 2 or len(set(lengths.values())) > 1:
        raise InfomaxError(
            wanted="two views or more, of the same rows",
            got=", ".join(f"{name}: {n} rows" for name, n in lengths.items()) or "none",
            fix="pair them row by row",
        )
    pairs = list(combinations(views, 2))
    found = {}
    for done, (a, b) in enumerate(pairs):
        progress(done, len(pairs), f"{a} - {b}")
        found[a, b] = estimate(
            views[a],
            views[b],
            level=level,
            seed=seed,
            budget=None if budget is None else budget / len(pairs),
            max_dropped=max_dropped,
        )
    progress(len(pairs), len(pairs), "")
    return Pairwise(tuple(views), found)
