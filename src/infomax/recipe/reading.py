"""Reading and writing recipes: YAML in, a checked `Recipe` out, and messages that name the key."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from infomax._errors import InfomaxError
from infomax.recipe.schema import Recipe
from infomax.records import write_text_atomic


def shipped() -> dict[str, Path]:
    """The recipes that come with infomax, by name."""
    folder = Path(str(resources.files("infomax") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read(source: str | Path, settings: list[str] | None = None) -> Recipe:
    """Read a shipped recipe or a YAML file, with ``key=value`` settings on top.

    Args:
        source: the name of a shipped recipe, or the path of a YAML file.
        settings: changes such as ``train.epochs=5`` or ``maximize.0.bound=js``.

    Raises:
        InfomaxError: no such recipe, not YAML, a key twice, an unknown key, a value that does not
            fit; the message names the key, what was wanted and what came.
    """
    path = shipped().get(str(source), Path(source))
    if not path.is_file():
        raise InfomaxError(
            wanted="a shipped recipe (" + ", ".join(shipped()) + ") or a YAML file",
            got=str(source),
            fix="see `infomax recipes`, or give the path of a file that exists",
        )
    tree = parse(text_of(path), str(source))
    tree.setdefault("name", path.stem)
    for setting in settings or []:
        _set(tree, setting)
    return check(tree, str(source))


def text_of(path: Path) -> str:
    """The text of a recipe's file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InfomaxError(
            wanted=f"a text file (UTF-8) at {path}", got=str(error), fix="restore the file"
        ) from None


class _Loader(yaml.SafeLoader):
    """Plain YAML, in which a key may stand only once."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise yaml.MarkedYAMLError(
            problem=f"'{twice[0]}' stands twice", problem_mark=node.start_mark
        )
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse(text: str, where: str) -> dict[str, Any]:
    """Read YAML that is a mapping, refusing a key that stands twice."""
    try:
        tree = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InfomaxError(
            wanted=f"YAML in {where}", got=str(error), fix="mend that line of the file"
        ) from None
    if not isinstance(tree, dict):
        raise InfomaxError(
            wanted=f"a mapping of keys in {where} (data, encoders, views, maximize, ...)",
            got=type(tree).__name__,
            fix="start from `infomax recipes show mnist-halves`",
        )
    return tree


def _set(tree: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals:
        raise InfomaxError(
            wanted="a setting as key=value", got=repr(setting), fix="write e.g. train.epochs=5"
        )
    *path, last = key.split(".")
    here: Any = tree
    for step in path:
        if isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        elif isinstance(here, dict):
            here = here.setdefault(step, {})
        else:
            raise InfomaxError(
                wanted=f"a key of the recipe in --set {setting}",
                got=f"'{step}', below something that has no keys",
                fix="see the keys with `infomax recipes show NAME`",
            )
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise InfomaxError(
            wanted=f"a value in YAML in --set {setting}",
            got=repr(value),
            fix="close its brackets and quotes",
        ) from None
    if isinstance(here, list) and last.isdigit() and int(last) < len(here):
        here[int(last)] = parsed
    elif isinstance(here, dict):
        here[last] = parsed
    else:
        raise InfomaxError(
            wanted=f"a key of the recipe in --set {setting}",
            got=f"'{last}'",
            fix="see the keys with `infomax recipes show NAME`",
        )


def check(tree: dict[str, Any], where: str) -> Recipe:
    """Check a mapping against the schema."""
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise explained(error, where) from None


def explained(error: ValidationError, where: str) -> InfomaxError:
    """The first thing pydantic found wrong, as wanted / got / do this."""
    first, more = error.errors(include_url=False)[0], error.error_count() - 1
    key = ".".join(str(part) for part in first["loc"])
    got = "nothing" if first["type"] == "missing" else repr(first["input"])[:200]
    if first["type"] == "extra_forbidden":
        return InfomaxError(
            wanted=f"only known keys in {where}",
            got=f"the key '{key}'",
            fix="take it out or correct its spelling",
        )
    return InfomaxError(
        wanted=f"{key} in {where}: {first['msg']}",
        got=got,
        fix=f"correct the key '{key}'" + (f" (and {more} more)" if more else ""),
    )


def write(recipe: Recipe, path: Path) -> None:
    """Write a recipe as YAML that `read` reads back; the file is whole or not there."""
    tree = recipe.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
    write_text_atomic(path, yaml.safe_dump(tree, sort_keys=False, width=100))
