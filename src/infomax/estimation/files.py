"""The files that `infomax estimate` reads: arrays, archives of them, and tables."""

from __future__ import annotations

import csv
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from infomax._errors import InfomaxError


def read(spec: str) -> object:
    """Read FILE.npy, FILE.npz:key, FILE.csv, .tsv or .parquet, the tables with :column,column too.

    Columns of a text file are set apart by what its first line shows: commas, or where there are
    none semicolons, tabs or bars. A column's name that holds a comma stands in quotes.

    Raises:
        InfomaxError: no such file, format, key or column.
    """
    name, _, inside = spec.partition(":")
    if len(name) == 1 and inside:  # a drive letter
        rest, _, inside = inside.partition(":")
        name = f"{name}:{rest}"
    path = Path(name)
    if not path.is_file():
        raise InfomaxError(wanted="a file", got=f"{name}, which is none", fix="check the path")
    kind = path.suffix.lower()
    try:
        if kind == ".npy":
            if inside:
                raise InfomaxError(
                    wanted=f"{name} alone: an array has no names for its columns",
                    got=spec,
                    fix="save the columns as an array of their own, or use .npz, .csv or .parquet",
                )
            return np.load(path)
        if kind == ".npz":
            with np.load(path) as archive:
                return archive[_key(archive.files, inside, path)]
        if kind in (".csv", ".tsv", ".parquet"):
            import pandas as pd

            from infomax.data import separator

            table = (
                pd.read_parquet(path)
                if kind == ".parquet"
                else pd.read_csv(path, sep=separator(path))
            )
            names = [n.strip() for n in next(csv.reader([inside], skipinitialspace=True), [])]
            missing = [n for n in names if n not in table.columns]
            if missing:
                raise InfomaxError(
                    wanted=f"columns of {name}: {', '.join(map(str, table.columns[:20]))}",
                    got=", ".join(map(repr, missing)),
                    fix="choose among them; a name that holds a comma in double quotes",
                )
            return table[list(dict.fromkeys(names))] if names else table
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        if isinstance(error, InfomaxError):
            raise
        raise InfomaxError(
            wanted=f"a readable {path.suffix} file of numbers or text (UTF-8)",
            got=f"{name}: {str(error)[:200]}",
            fix="write it anew"
            + ("; arrays of objects are not read" * (path.suffix in (".npy", ".npz"))),
        ) from error
    raise InfomaxError(
        wanted="a .npy, .npz, .csv, .tsv or .parquet file",
        got=name,
        fix="convert it to one of these",
    )


def _key(there: list[str], inside: str, path: Path) -> str:
    key = inside or (there[0] if len(there) == 1 else "")
    if key not in there:
        raise InfomaxError(
            wanted=f"a key of {path}: {', '.join(there)}",
            got=key or "no key",
            fix=f"name it: {path}:KEY",
        )
    return key
