"""A recipe: one paper's choice of data, encoders, views, edges, critics and bounds, as YAML.

`read` checks the file against the schema and names the key that is wrong; `build` makes the
graph of views and the objective from it. Nothing else in infomax knows what a paper is.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infomax._errors import InfomaxError
from infomax.data import DataSpec
from infomax.pairing import Negatives

Part = str | dict[str, Any]
"""A named kind with its options: ``infonce``, or ``{kind: separable, dim: 64}``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HalfSpec(_Strict):
    """``half: top``, or ``half: {side: top, gap: 2}``."""

    side: Literal["top", "bottom", "left", "right"]
    gap: int = Field(default=0, ge=0)


class CropSpec(_Strict):
    """``crop: {top: 0, left: 0, height: 14, width: 28}``, in pixels."""

    top: int = Field(ge=0)
    left: int = Field(ge=0)
    height: int = Field(gt=0)
    width: int = Field(gt=0)


class WindowSpec(_Strict):
    """``window: {second: 5, length: 1}`` of a sound, or ``{start: 0, length: 50}`` in samples."""

    second: float | None = Field(default=None, ge=0)
    start: int | None = Field(default=None, ge=0)
    length: float = Field(gt=0)

    @model_validator(mode="after")
    def _one_origin(self) -> WindowSpec:
        if (self.second is None) == (self.start is None):
            raise ValueError("give either second: (seconds) or start: (samples)")
        return self


class ViewSpec(_Strict):
    """A view: a signal, or something done to another view."""

    signal: str | None = None
    of: str | None = None
    augment: Part | list[Part] | None = None
    half: str | HalfSpec | None = None
    crop: CropSpec | None = None
    window: WindowSpec | None = None
    columns: tuple[int, int] | None = None
    encode: str | None = None
    at: str | None = None

    @model_validator(mode="after")
    def _one_step(self) -> ViewSpec:
        steps = ("signal", "augment", "half", "crop", "window", "columns", "encode")
        given = [step for step in steps if getattr(self, step) is not None]
        if len(given) != 1:
            raise ValueError(f"a view needs exactly one of {', '.join(steps)}; got {given or 0}")
        if (self.of is None) != (given == ["signal"]):
            raise ValueError("a view is either `signal: NAME`, or `of: VIEW` with one step")
        if self.at is not None and self.encode is None:
            raise ValueError("`at` names a stage of an encoder: it needs `encode`")
        return self


class EdgeSpec(_Strict):
    """An edge of the objective."""

    between: tuple[str, str]
    bound: Part = "infonce"
    critic: Part | None = None
    marginal: Part | None = None
    weight: float = Field(default=1.0, gt=0)
    positions: Literal["all", "same"] = "all"
    ahead: int | None = Field(default=None, ge=1)
    negatives: Negatives = "batch"


class TrainSpec(_Strict):
    """How long, in what steps, from which seed."""

    epochs: int = Field(default=20, ge=0)
    batch: int = Field(default=256, ge=2)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    warmup: int = Field(default=100, ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**31)


class EvaluateSpec(_Strict):
    """Which view is probed for which label; None takes the data's label, if it has one."""

    view: str
    label: str | None = None


class Recipe(_Strict):
    """A whole recipe; `views`, `maximize` and `evaluate` are where a paper makes its choice.

    Example:
        >>> recipe = read("mnist-halves")
        >>> recipe.views["top"].half
        'top'
    """

    name: str = ""
    paper: str = ""
    data: DataSpec
    encoders: dict[str, Annotated[Part, Field()]]
    views: dict[str, ViewSpec]
    maximize: list[EdgeSpec] = Field(min_length=1)
    minimize: list[EdgeSpec] = Field(default_factory=list)
    train: TrainSpec = TrainSpec()
    evaluate: EvaluateSpec


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
    """Write a recipe as YAML that `read` reads back."""
    tree = recipe.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
    path.write_text(yaml.safe_dump(tree, sort_keys=False, width=100), encoding="utf-8")
