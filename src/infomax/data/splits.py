"""Honest splits: given ones kept, no group on two sides, every label on each, fixed by a seed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from infomax._errors import InfomaxError


def _first(values: np.ndarray) -> Int[np.ndarray, " n"]:
    """Each value as a number from 0."""
    codes: np.ndarray = np.unique(values, return_inverse=True)[1].astype(np.int64).reshape(-1)
    return codes


def draw(
    size: int,
    fraction: float,
    rng: np.random.Generator,
    *,
    group: np.ndarray | None = None,
    label: np.ndarray | None = None,
    whole: np.ndarray | None = None,
) -> np.ndarray:
    """Choose about `fraction` of `size` contexts: True where chosen.

    With `group`, groups are taken whole in random order until the number is nearest. Else every
    label gives its share (systematic sampling along the sorted labels: each within one of
    fraction x its number), and contexts of the same `whole` (copies) go together.
    At least one and never all of the groups or contexts are chosen, if there are two.
    """
    if group is not None:
        codes = _first(group)
        sizes = np.bincount(codes)
        order = rng.permutation(len(sizes))
        before = np.cumsum(sizes[order]) - sizes[order] / 2
        number = int(np.clip((before <= fraction * size).sum(), 1, max(1, len(sizes) - 1)))
        return np.isin(codes, order[:number])
    codes = np.arange(size) if whole is None else _first(whole)
    heads = np.unique(codes, return_index=True)[1]  # one context for each set of copies
    order = rng.permutation(len(heads))
    if label is not None:
        order = order[np.argsort(_first(label)[heads[order]], kind="stable")]
    total = len(heads)
    number = int(np.clip(round(fraction * total), 1, max(1, total - 1)))
    steps = np.arange(total + 1) * number + rng.integers(total)
    chosen = np.zeros(total, dtype=bool)
    chosen[order] = np.diff(steps // total) > 0
    return chosen[codes]


def split(
    size: int,
    *,
    validation: float,
    test: float,
    seed: int,
    given: np.ndarray | None = None,
    group: np.ndarray | None = None,
    label: np.ndarray | None = None,
    whole: np.ndarray | None = None,
) -> dict[str, Int[np.ndarray, " n"]]:
    """Train, validation and test positions of `size` contexts.

    Args:
        size: number of contexts.
        validation: fraction drawn for validation when none is given.
        test: fraction drawn for test when none is given.
        seed: decides what is drawn.
        given: the split of each context by name; what it lacks is drawn from its train.
        group: contexts of one group go to one side.
        label: each side gets its share of every label (not with groups).
        whole: contexts with the same number (copies) go to one side (not with groups).

    Raises:
        InfomaxError: a split would be empty; a given split cuts through a group.
    """
    sides = np.full(size, "train", dtype="<U10") if given is None else given.astype("<U10")
    if group is not None and given is not None:
        _no_group_cut(sides, group)
    for stream, (name, fraction) in enumerate((("test", test), ("validation", validation))):
        if (sides == name).any():
            continue
        pool = np.flatnonzero(sides == "train")
        if name == "validation" and given is None:  # a fraction of all, not of what test left
            fraction = fraction * size / max(1, len(pool))
        if len(pool) < 2:
            continue
        parts = [None if part is None else part[pool] for part in (group, label, whole)]
        chosen = draw(
            len(pool),
            fraction,
            np.random.default_rng((seed, stream)),
            group=parts[0],
            label=parts[1],
            whole=parts[2],
        )
        sides[pool[chosen]] = name
    rows = {name: np.flatnonzero(sides == name) for name in ("train", "validation", "test")}
    if not all(len(part) for part in rows.values()):
        sets = size if group is None else len(np.unique(group))
        raise InfomaxError(
            wanted="at least one context in each of train, validation and test",
            got=", ".join(f"{name} {len(part)}" for name, part in rows.items())
            + f" (from {sets} {'contexts' if group is None else 'groups'})",
            fix="bring more data, raise data.limit, or give the splits in a column (data.split)",
        )
    return rows


def _no_group_cut(sides: np.ndarray, group: np.ndarray) -> None:
    codes = _first(group)
    used = {name: set(codes[sides == name].tolist()) for name in ("train", "validation", "test")}
    cut = (used["train"] & used["test"]) | (used["train"] & used["validation"])
    cut |= used["validation"] & used["test"]
    if cut:
        names = [str(group[np.flatnonzero(codes == code)[0]]) for code in sorted(cut)[:3]]
        raise InfomaxError(
            wanted="a given split that keeps every group on one side",
            got=f"{len(cut)} groups on two sides, first {', '.join(names)}",
            fix="drop data.group to keep the split as given, or drop data.split to split by group",
        )
