"""What all records share: their words, strict JSON out, checked JSON in, whole files or none."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from infomax._errors import InfomaxError

Side = Literal["lower", "upper", "estimate"]
Verdict = Literal["ok", "saturated", "overfitted", "collapsed", "high-variance", "crossed"]
Status = Literal["finished", "interrupted", "failed"]
Split = Literal["train", "validation", "test"]
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number that may be missing: NaN here, null in a file."""
Ends = Annotated[tuple[str, ...], Field(min_length=2)]
"""The views of an edge: two, or all whose total correlation it is about."""
T = TypeVar("T")


def dumps(obj: object, indent: int | None = None) -> str:
    """Give strict JSON: what is not finite becomes null; paths text; arrays lists."""
    return json.dumps(_plain(obj), allow_nan=False, ensure_ascii=False, indent=indent)


def write_text_atomic(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json_atomic(path: Path, obj: object) -> None:
    """Write JSON, whole or not at all."""
    write_text_atomic(path, dumps(obj, indent=2) + "\n")


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Say it plainly when a file or folder cannot be written to.

    Raises:
        InfomaxError: no space, no permission, a folder where a file should be.
    """
    try:
        yield
    except OSError as error:
        raise InfomaxError(
            wanted=f"to write into {out}",
            got=str(error),
            fix="free some space, mend the permissions or choose another place; what was there "
            "before is whole",
        ) from None


def check_target(path: Path, option: str, *suffixes: str) -> None:
    """Refuse, before the work, a file that could not be written after it.

    Raises:
        InfomaxError: another suffix, no such folder, or a folder of that name.
    """
    if path.suffix not in suffixes or not path.resolve().parent.is_dir() or path.is_dir():
        raise InfomaxError(
            wanted=f"{option} {' or '.join(f'FILE{s}' for s in suffixes)} in a folder that exists",
            got=str(path),
            fix="choose another name, or make the folder first",
        )


def read_record(cls: type[T], data: object, where: str) -> T:
    """Check JSON against the annotations of a record, strictly; unknown keys are ignored."""
    try:
        return TypeAdapter(cls).validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{at}]" if isinstance(at, int) else f": {at}" for at in first["loc"])
        got = "nothing" if first["type"] == "missing" else repr(first["input"])[:120]
        raise InfomaxError(
            wanted=f"{where}{place}: {first['msg']}",
            got=got,
            fix="the file is damaged or not ours: evaluate the run again, or restore a copy",
        ) from None


def _plain(obj: object) -> object:
    if isinstance(obj, Mapping):
        return {str(key): _plain(value) for key, value in obj.items()}
    if hasattr(obj, "tolist"):  # numpy and torch, scalars and arrays
        obj = obj.tolist()
    if isinstance(obj, list | tuple):
        return [_plain(value) for value in obj]
    if isinstance(obj, float) and not math.isfinite(obj):
        return None
    return str(obj) if isinstance(obj, Path) else obj
