"""The `data:` key of a recipe: which source, where it lies, and which column is which signal."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from infomax._errors import InfomaxError
from infomax.data.keeping import Keep

NATURAL = ("mnist5k", "digits", "fashion-mnist", "imagefolder", "audiofolder")
"""Sources that bring their own signal, `picture` or `sound`, and label `label`."""

IN_MEMORY = ("mnist5k", "digits", "fashion-mnist", "npz")
"""Sources whose signals are arrays in memory as soon as they are read."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PictureSpec(_Strict):
    """Pictures: a column of paths; or arrays uint8 [N, H, W], [N, H, W, C] or [N, C, H, W].

    `size`: side, or [height, width], in pixels; a picture of another shape is cut in the middle to
    this one and scaled. Default: the size of half of them or more, else a square of their usual
    shorter side; scaled down to at most 64.
    `channels`: 1 (grey) or 3 (RGB). Default: 1 if all pictures looked at are grey.
    """

    kind: Literal["picture"]
    column: str | None = None
    size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    channels: Literal[1, 3] | None = None


class SoundSpec(_Strict):
    """Sound: a column of paths; or arrays [N, samples], taken to have `rate`.

    `rate`: Hz. `seconds`: longer recordings are cut at the end, shorter ones padded with zeros.
    Default: 4 s of a file, the whole of an array.
    """

    kind: Literal["sound"]
    column: str | None = None
    rate: PositiveInt = 16000
    seconds: PositiveFloat | None = None


class TextSpec(_Strict):
    """Text as UTF-8 bytes, padded with zeros to the longest, cut at `length` bytes."""

    kind: Literal["text"]
    column: str | None = None
    length: PositiveInt = 1024


class VectorSpec(_Strict):
    """A vector of numbers: a column, a list of columns, or a pattern such as `audio_*`."""

    kind: Literal["vector"]
    column: str | list[str] | None = None


class SeriesSpec(_Strict):
    """A series: an array [N, T, C] or [N, T]; or columns in the order of time (one channel).

    Series of many lengths end in steps of NaN or of zeros, which are padding.
    """

    kind: Literal["series"]
    column: str | list[str] | None = None


SignalSpec = Annotated[
    PictureSpec | SoundSpec | TextSpec | VectorSpec | SeriesSpec, Field(discriminator="kind")
]


class SplitSpec(_Strict):
    """A column that says the split, and which of its values mean what.

    `{column: fold, test: [3]}`: fold 3 is test, all else train, validation drawn from it.
    With `train` given, rows of any other value are left out (a guard, say).
    """

    column: str
    train: list[str | int] | None = None
    validation: list[str | int] | None = None
    test: list[str | int] | None = None


class DataSpec(_Strict):
    """Where contexts come from.

    `label`, `group`, `split` name columns (keys of an npz). `label` may list several: the first is
    the default (and the one that splits are balanced by). A context with an empty label cell is
    kept; it is only not judged by that label. No group is ever on two sides.
    `split` is a column that holds train / validation / test, or a `SplitSpec`. What is not given
    is drawn: `test` and `validation` are fractions of the contexts it is drawn from, and `seed`
    decides which. `limit` keeps that many contexts, drawn at random, for quick trials. `stream`
    (hub) fetches no more than about `limit` rows: the first ones of each split, so not at random.
    `keep` says where decoded pictures and sounds stay: in memory, or on disk for data larger than
    it (`keeping`); by default, in memory as long as they fit well.

    Example:
        >>> words = {"kind": "text", "column": "text_en"}
        >>> spec = DataSpec(source="csv", path="a.csv", group="topic", signals={"words": words})
        >>> spec.signals["words"].length
        1024
    """

    source: str
    path: str | None = None
    label: str | list[str] | None = None
    group: str | None = None
    split: str | SplitSpec | None = None
    signals: dict[str, SignalSpec] = Field(default_factory=dict)
    validation: float = Field(default=0.1, gt=0, lt=0.9)
    test: float = Field(default=0.2, gt=0, lt=0.9)
    seed: int = Field(default=0, ge=0)
    limit: PositiveInt | None = None
    stream: bool = False
    keep: Keep = "auto"

    @model_validator(mode="after")
    def _stream_ends(self) -> DataSpec:
        if self.stream and (self.source != "hub" or self.limit is None):
            raise ValueError("stream is for the source hub and needs a limit: so many rows")
        return self

    @model_validator(mode="after")
    def _kept_where_it_can_be(self) -> DataSpec:
        if self.keep == "disk" and self.source in IN_MEMORY:
            raise ValueError(f"keep: disk is for files of pictures and sounds, not {self.source}")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the label columns, the default first."""
        listed = [self.label] if isinstance(self.label, str) else self.label or []
        return tuple(dict.fromkeys(listed))


def parse_spec(text: str) -> dict[str, str]:
    """The keys that `SOURCE` or `SOURCE:PATH` sets.

    Raises:
        InfomaxError: no source is named.

    Example:
        >>> parse_spec("fashion-mnist:../data"), parse_spec("digits")
        ({'source': 'fashion-mnist', 'path': '../data'}, {'source': 'digits'})
    """
    source, _, path = text.partition(":")
    if not source.strip():
        raise InfomaxError(
            wanted="data as SOURCE or SOURCE:PATH",
            got=repr(text),
            fix="write for example digits, fashion-mnist:FOLDER or csv:FILE",
        )
    return {"source": source.strip(), "path": path} if path else {"source": source.strip()}


def override(spec: DataSpec, text: str) -> DataSpec:
    """A recipe's data section with the source and path of `--data SOURCE[:PATH]`.

    A new source that brings its own signal (a folder, say) drops the recipe's signals, label,
    group and split, but for the rate and length of a sound; a manifest-like one keeps them.
    Fractions, seed and limit always stay.

    Example:
        >>> spec = DataSpec(source="csv", path="a.csv", label="category")
        >>> override(spec, "csv:b.csv").label, override(spec, "digits").label
        ('category', None)
    """
    keys: dict[str, Any] = parse_spec(text)
    if keys["source"] != spec.source:
        keys.setdefault("path", None)
        if keys["source"] in NATURAL:
            heard = {n: s for n, s in spec.signals.items() if isinstance(s, SoundSpec)}
            if keys["source"] == "audiofolder" and len(heard) == 1:
                # the encoders count seconds at this rate
                own = {n: s.model_copy(update={"column": None}) for n, s in heard.items()}
            else:
                own = {}
            keys |= {"signals": own, "label": None, "group": None, "split": None}
    return spec.model_copy(update=keys)
