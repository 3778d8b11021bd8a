"""What all records share: their words, strict JSON out, checked JSON in, whole files or none."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from infomax._errors import InfomaxError

Side = Literal["lower", "upper", "estimate"]
Verdict = Literal["ok", "saturated", "overfitted", "collapsed", "high-variance", "crossed"]
Status = Literal["finished", "interrupted", "failed"]
Split = Literal["train", "validation", "test"]
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number that may be missing: NaN here, null in a file."""
T = TypeVar("T")


def dumps(obj: object, indent: int | None = None) -> str:
    """Give strict JSON: what is not finite becomes null; paths text; arrays lists."""
    return json.dumps(_plain(obj), allow_nan=False, ensure_ascii=False, indent=indent)


def write_json_atomic(path: Path, obj: object) -> None:
    """Write JSON so that a reader finds the old file or the new one, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(dumps(obj, indent=2) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
