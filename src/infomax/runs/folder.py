"""What lies in a run folder: its recipe, its status, its surroundings, arrays written from it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch

from infomax import recipe
from infomax._errors import InfomaxError
from infomax.data import Contexts
from infomax.recipe import Recipe
from infomax.records import Results, write_json_atomic


def of(run: Path) -> Recipe:
    """The recipe of a run folder."""
    path = run / "recipe.yaml"
    if not path.is_file():
        raise InfomaxError(
            wanted="a run folder (it holds recipe.yaml)",
            got=str(run),
            fix="give the folder that `infomax train --out` wrote",
        )
    return recipe.check(recipe.parse(recipe.text_of(path), str(path)), str(path))


@contextmanager
def note_if_unfinished(out: Path, chosen: Recipe) -> Iterator[None]:
    """Leave a word in results.json when a run does not finish; results that it wrote stay."""
    path = out / "results.json"
    before = path.read_bytes() if path.is_file() else None
    try:
        yield
    except BaseException as error:
        if (path.read_bytes() if path.is_file() else None) != before:
            raise  # only the page is missing
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        note = Results(status=status, recipe=chosen.name, paper=chosen.paper)  # type: ignore[arg-type]
        with suppress(OSError):  # a full disk: the first error is the one to tell
            write_json_atomic(path, note.to_json())
        raise


def same_recipe(chosen: Recipe, saved: Path) -> None:
    """Refuse to resume a run under another recipe than it was started with."""
    if not saved.is_file():
        raise InfomaxError(
            wanted="a run to resume",
            got=f"{saved.parent}, which holds none",
            fix="leave --resume out to start one, or correct --out",
        )
    before = of(saved.parent)
    if before != chosen:
        mine, theirs = chosen.model_dump(), before.model_dump()
        changed = [key for key in mine if mine[key] != theirs[key]]
        raise InfomaxError(
            wanted=f"the recipe that {saved.parent} was started with",
            got="one with other " + ", ".join(changed),
            fix=f"use `infomax train {saved} --out {saved.parent} --resume`, or another --out",
        )


def environment(seed: int) -> dict[str, object]:
    """What is needed to do the same again."""
    from importlib.metadata import version

    return {
        "infomax": version("infomax"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "command": shlex.join(["infomax", *sys.argv[1:]]),
        "seed": seed,
    }


def write_array(array: np.ndarray, contexts: Contexts, out: Path) -> None:
    """Write an embedding as .npy, or as .parquet with the row numbers beside it; whole or not."""
    part = out.with_name(f".{out.stem}.{os.getpid()}{out.suffix}")
    try:
        if out.suffix == ".npy":
            np.save(part, array)
        else:
            import pandas as pd

            flat = array.reshape(len(array), -1)
            columns = {"row": contexts.rows("all")}
            columns |= {f"z{index}": flat[:, index] for index in range(flat.shape[1])}
            pd.DataFrame(columns).to_parquet(part)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
