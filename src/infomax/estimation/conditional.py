"""Conditional mutual information as a difference of two: the chain rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from infomax._errors import InfomaxError
from infomax.estimation import inputs
from infomax.estimation.portfolio import Watch
from infomax.estimation.result import Estimate
from infomax.records import Verdict


def alone(discrete: str, posterior: object) -> None:
    """Refuse what `given` does not go with."""
    if discrete != "auto" or posterior is not None:
        raise InfomaxError(
            wanted="`given` without `discrete` and `posterior`",
            got="discrete" if discrete != "auto" else "posterior",
            fix="leave it out; classes are told by strings",
        )


def conditional(
    estimate: Callable[..., Estimate],
    x: object,
    y: object,
    z: object,
    *,
    level: float,
    seed: int,
    budget: float | None,
    max_dropped: float,
    progress: Watch,
) -> Estimate:
    """Estimate I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z): an estimate, and no bound on either side.

    `estimate` makes both. The interval adds the variances of the two. A lower bound minus a lower
    bound bounds nothing, so `lower_bound` and `lower_limit` are None, unless I(X; Z) has a
    certified upper limit (a discrete X or Z), which gives lower_limit = lower_limit(X; YZ) -
    upper_limit(X; Z).

    Source: Cover & Thomas 2006, theorem 2.5.2.
    """
    import pandas as pd

    def frame(data: object, name: str) -> pd.DataFrame:
        parts = inputs.columns(data, name)
        return pd.DataFrame({f"{name}{j}": column for j, column in enumerate(parts)})

    tables = {name: frame(data, name) for name, data in (("x", x), ("y", y), ("given", z))}
    lengths = {len(table) for table in tables.values()}
    if len(lengths) > 1:
        raise InfomaxError(
            wanted="as many rows in x, y and given",
            got=", ".join(f"{len(t)} in {n}" for n, t in tables.items()),
            fix="pair them row by row",
        )
    whole = pd.concat(list(tables.values()), axis=1).replace([np.inf, -np.inf], np.nan)
    bad = whole.isna().any(axis=1)
    if bad.mean() <= max_dropped:
        tables = {name: table[~bad] for name, table in tables.items()}
    if not any(tables["given"][c].nunique() > 1 for c in tables["given"]):
        raise InfomaxError(
            wanted="a column of given that varies",
            got="constant columns only, which change nothing",
            fix="estimate I(X; Y) without it",
        )
    y_and_z = pd.concat([tables["y"], tables["given"]], axis=1)
    half = None if budget is None else budget / 2
    both, one = (
        estimate(
            tables["x"],
            other,
            level=level,
            seed=seed,
            budget=half,
            max_dropped=max_dropped,
            progress=progress,
        )
        for other in (y_and_z, tables["given"])
    )
    nats = both.nats - one.nats
    below = math.hypot(both.nats - both.interval[0], one.interval[1] - one.nats)
    above = math.hypot(both.interval[1] - both.nats, one.nats - one.interval[0])
    limit = None
    if one.upper_limit is not None and both.lower_limit is not None:
        limit = both.lower_limit - one.upper_limit
    worst: Verdict = next((e.verdict for e in (both, one) if e.verdict != "ok"), "ok")
    return Estimate(
        nats=max(nats, 0.0),
        interval=(max(nats - below, 0.0), max(nats + above, 0.0)),
        level=level,
        lower_bound=None,
        lower_limit=limit,
        upper_limit=both.upper_limit,
        method=f"difference: ({both.method}) - ({one.method})",
        ceiling=None,
        verdict=worst,
        samples=both.samples,
        candidates=[
            replace(c, method=f"{name}: {c.method}")
            for name, found in (("I(X;YZ)", both), ("I(X;Z)", one))
            for c in found.candidates
        ],
        notes=[
            f"A difference, I(X;YZ) {both.nats:.3f} - I(X;Z) {one.nats:.3f}: an estimate, which "
            "bounds nothing on either side.",
            *both.notes,
        ],
    )
