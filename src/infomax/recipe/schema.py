"""The schema of a recipe: what may be written, key by key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infomax.data import DataSpec
from infomax.pairing import Negatives

Part = str | dict[str, Any]
"""A named kind with its options: ``infonce``, or ``{kind: separable, dim: 64}``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


class PatchesSpec(_Strict):
    """``patches: {size: 8, stride: 4}``, in pixels."""

    size: int = Field(gt=0)
    stride: int = Field(gt=0)


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
    channels: Literal["L", "ab"] | None = None
    patches: PatchesSpec | None = None
    window: WindowSpec | None = None
    columns: tuple[int, int] | None = None
    encode: str | None = None
    at: str | None = None

    @model_validator(mode="after")
    def _one_step(self) -> ViewSpec:
        steps = (
            *("signal", "augment", "half", "crop", "channels", "patches"),
            *("window", "columns", "encode"),
        )
        given = [step for step in steps if getattr(self, step) is not None]
        if len(given) != 1:
            raise ValueError(f"a view needs exactly one of {', '.join(steps)}; got {given or 0}")
        if (self.of is None) != (given == ["signal"]):
            raise ValueError("a view is either `signal: NAME`, or `of: VIEW` with one step")
        if self.at is not None and self.encode is None:
            raise ValueError("`at` names a stage of an encoder: it needs `encode`")
        return self


Steps = Annotated[int, Field(ge=1)]


class EdgeSpec(_Strict):
    """An edge of the objective; of three views or more, one about all, or one for each pair.

    ``ahead: [1, 2, 4]`` is one edge for each, the weight shared equally.
    """

    between: Annotated[tuple[str, ...], Field(min_length=2)]
    edges: Literal["joint", "all-pairs"] = "joint"
    bound: Part = "infonce"
    critic: Part | None = None
    marginal: Part | None = None
    weight: float = Field(default=1.0, gt=0)
    positions: Literal["all", "same"] = "all"
    ahead: Steps | list[Steps] | None = None
    negatives: Negatives = "batch"
    given: str | None = None

    @model_validator(mode="after")
    def _steps_once(self) -> EdgeSpec:
        if isinstance(self.ahead, list) and (
            not self.ahead or len(set(self.ahead)) < len(self.ahead)
        ):
            raise ValueError("ahead: a number of steps, or a list of different ones")
        if self.ahead is not None and self.positions != "all":
            raise ValueError("give either ahead: or positions:")
        return self


class TrainSpec(_Strict):
    """How long, in what steps, from which seed.

    ``epochs``: where not said, 20, and more where the contexts are so few that those would be less
    than 400 steps.
    ``batch`` is the number of contexts in a step over all processes. ``chunk`` of them are encoded
    at a time (chosen by the device where not said). ``shard`` keeps encoders in parts over the
    processes, for those too large for each.
    """

    epochs: int | None = Field(default=None, ge=0)
    batch: int = Field(default=256, ge=2)
    chunk: int | None = Field(default=None, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    warmup: int = Field(default=100, ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**31)
    track: str | tuple[str, ...] = ()
    shard: bool = False


class ZeroShotSpec(_Strict):
    """Classes told by their names: ``{view: z_picture, text: z_words, label: category}``.

    ``prompts`` says what is read for a class, ``{animals: an animal}``; others are read as named.
    """

    view: str
    text: str
    label: str
    prompts: dict[str, str] = Field(default_factory=dict)


class EvaluateSpec(_Strict):
    """What a run is judged by.

    ``view``: the view or views that are probed; the map is of the first. ``label``: for which label
    or labels; None takes the data's first, if it has one. ``retrieval``: pairs of views looked for
    by one another; None takes every edge between vectors of different signals or parts, ``[]``
    none. ``right``: a label whose equals count as right answers. ``zero_shot``: classes told by
    their names. ``map``: estimate the nats between all ends of edges, before and after training.
    ``profile``: which factors each stage of the encoders knows (costs some seconds).
    """

    view: str | list[str] = Field(min_length=1)
    label: str | list[str] | None = None
    retrieval: list[tuple[str, str]] | None = None
    right: str | None = None
    zero_shot: ZeroShotSpec | None = None
    map: bool = False
    profile: bool = True

    @property
    def views(self) -> tuple[str, ...]:
        """The views that are probed."""
        return (self.view,) if isinstance(self.view, str) else tuple(dict.fromkeys(self.view))

    @property
    def named(self) -> tuple[str, ...]:
        """Every view that is named here."""
        pairs = [name for pair in self.retrieval or () for name in pair]
        told = [self.zero_shot.view, self.zero_shot.text] if self.zero_shot else []
        return tuple(dict.fromkeys((*self.views, *pairs, *told)))


class Recipe(_Strict):
    """A whole recipe; `views`, `maximize` and `evaluate` are where a paper makes its choice.

    Example:
        >>> from infomax.recipe import read
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
