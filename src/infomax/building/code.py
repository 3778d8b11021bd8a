"""Encoders of the user's own, named as `python: package.module:Class`: imported only if allowed.

A recipe is data that may come from anywhere; importing what it names runs it. So nothing is
imported unless the person who runs infomax says so (``--allow-code``).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from torch import nn

from infomax._errors import InfomaxError
from infomax.building.kinds import make
from infomax.recipe import Part

PREFIX = "python:"


def code_of(part: Part) -> tuple[str, dict[str, Any]] | None:
    """The name of the code and its options, if a part names code; else None.

    Example:
        >>> code_of({"python": "nets:Mine", "width": 3})
        ('nets:Mine', {'width': 3})
        >>> code_of("python: nets:Mine"), code_of("convnet")
        (('nets:Mine', {}), None)
    """
    options = {"kind": part} if isinstance(part, str) else dict(part)
    if "python" in options and "kind" not in options:
        return str(options.pop("python")).strip(), options
    kind = str(options.pop("kind", ""))
    if kind.startswith(PREFIX):
        return kind.removeprefix(PREFIX).strip(), options
    return None


def own_encoder(name: str, options: dict[str, Any], where: str, *, allow_code: bool) -> nn.Module:
    """Import and make an encoder that is not ours.

    Modules are found where Python finds them, and in the folder infomax is run in.

    Args:
        name: ``package.module:Class``.
        options: its arguments, checked against the signature as for every kind.
        where: the key of the recipe, for messages.
        allow_code: without it nothing is imported.

    Raises:
        InfomaxError: not allowed; not a name; cannot be imported; not an ``nn.Module``.
    """
    module, colon, attribute = name.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), attribute]):
        raise InfomaxError(
            wanted=f"{where}: python: package.module:Class",
            got=repr(name),
            fix="name a module and a class in it, with a colon between",
        )
    if not allow_code:
        raise InfomaxError(
            wanted=f"leave to run the code that {where} names",
            got=f"python: {name}",
            fix="look at that code; if you trust it, add --allow-code",
        )
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the user's module raises, it is for the user to mend
        raise InfomaxError(
            wanted=f"{where}: '{attribute}' in a module '{module}' that Python finds",
            got=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            fix="install it, or run infomax in the folder it lies in",
        ) from error
    finally:
        sys.path.remove(here)
    made = make({name: found}, {"kind": name, **options}, where) if callable(found) else found
    if not isinstance(made, nn.Module):
        raise InfomaxError(
            wanted=f"{where}: a class whose objects are torch.nn.Module",
            got=f"{name}, which gives {type(made).__name__}",
            fix="name a class that derives from torch.nn.Module",
        )
    return made
