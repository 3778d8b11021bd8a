"""From a `data:` section to `Contexts`: find the source, read it, skip what is broken, split."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.arrays import npz
from infomax.data.bundled import digits, mnist5k
from infomax.data.contexts import SPLITS, Contexts
from infomax.data.copies import copies
from infomax.data.folders import audiofolder, imagefolder
from infomax.data.hub import hub
from infomax.data.idx import fashion_mnist
from infomax.data.manifests import csv, jsonl, parquet
from infomax.data.shards import webdataset
from infomax.data.spec import DataSpec, parse_spec
from infomax.data.splits import split
from infomax.data.table import Table

SOURCES: Mapping[str, Callable[[DataSpec], Table]] = {
    "mnist5k": mnist5k,
    "digits": digits,
    "fashion-mnist": fashion_mnist,
    "imagefolder": imagefolder,
    "audiofolder": audiofolder,
    "csv": csv,
    "parquet": parquet,
    "jsonl": jsonl,
    "webdataset": webdataset,
    "npz": npz,
    "hub": hub,
}
"""Every source by the name a recipe gives it."""

BROKEN = 0.01
"""A source with a larger share of unreadable contexts is an error."""


def load(spec: DataSpec | str, *, whole: bool = False) -> Contexts:
    """Read a data set and split it honestly.

    Args:
        spec: the `data:` section of a recipe, or `SOURCE` / `SOURCE:PATH`.
        whole: do not split: one split, `all`, of every row in the order of the source, those that
            lack every signal and those that cannot be read too. For data that are only embedded,
            which may be few, or of one class.

    Raises:
        InfomaxError: the source is unknown, missing, broken, empty or cannot be split.

    Example:
        >>> digits = load("digits")
        >>> digits.label_names, digits.count("test")
        (('label',), 359)
    """
    if isinstance(spec, str):
        keys = parse_spec(spec)
        spec = DataSpec(source=keys["source"], path=keys.get("path"))
    if spec.source not in SOURCES:
        raise InfomaxError(
            wanted=f"a source: {', '.join(SOURCES)}",
            got=repr(spec.source),
            fix="set data.source, or --data, to one of these",
        )
    name = spec.source if spec.path is None else f"{spec.source}:{spec.path}"
    table = SOURCES[spec.source](spec)
    rows = np.arange(table.size)
    if table.given is not None:
        rows = rows[table.given != "none"]
    if len(rows) == 0:
        raise InfomaxError(wanted=f"contexts in {name}", got="none", fix="give data with rows")
    if spec.limit is not None and spec.limit < len(rows):
        rows = np.sort(np.random.default_rng((spec.seed, 2)).permutation(rows)[: spec.limit])
    signals = table.read(rows)
    if len(signals.unreadable) > BROKEN * len(rows):
        first = "; ".join(list(signals.unreadable.values())[:3])
        raise InfomaxError(
            wanted=f"at most {BROKEN:.0%} unreadable contexts in {name}",
            got=f"{len(signals.unreadable)} of {len(rows)}, first: {first}",
            fix="mend or remove these files",
        )
    for signal, column in signals.columns.items():
        if not column.present[rows].any():
            raise InfomaxError(
                wanted=f"the signal {signal!r} in at least one context of {name}",
                got="none that has it",
                fix=f"name another column in data.signals.{signal}, or remove it",
            )
    skipped = tuple(signals.unreadable.values())
    if whole:
        return Contexts(name, signals.columns, table.labels, {"all": rows}, skipped)
    # a context with none of the signals says nothing about any view
    there = np.any([column.present for column in signals.columns.values()], axis=0)
    there[list(signals.unreadable)] = False
    rows = rows[there[rows]]
    splits = _split(spec, table, rows, copies(signals.columns, rows))
    for label, values in table.labels.items():
        classes = [value for value in np.unique(values[rows]).tolist() if value != ""]
        if len(classes) < 2:
            raise InfomaxError(
                wanted=f"two or more classes in the label {label!r} of {name}",
                got=f"only {classes[0]!r}" if classes else "no rows",
                fix="name another column as data.label, or none",
            )
    return Contexts(name, signals.columns, table.labels, splits, skipped)


def _split(
    spec: DataSpec, table: Table, rows: np.ndarray, whole: np.ndarray | None
) -> dict[str, np.ndarray]:
    label = next(iter(table.labels.values()), None)
    places = split(
        len(rows),
        validation=spec.validation,
        test=spec.test,
        seed=spec.seed,
        given=None if table.given is None else table.given[rows],
        group=None if table.group is None else table.group[rows],
        label=None if label is None else label[rows],
        whole=whole,
    )
    if whole is not None:
        others = np.concatenate([places["train"], places["validation"]])
        leaked = np.isin(whole[places["test"]], whole[others])
        if leaked.any():
            first = ", ".join(map(str, rows[places["test"][leaked]][:5]))
            warnings.warn(
                f"{leaked.sum()} test contexts are exact copies of train or validation contexts "
                f"(rows {first}); the split or the groups were given, so they stay",
                stacklevel=3,
            )
    return {name: rows[places[name]] for name in SPLITS}
