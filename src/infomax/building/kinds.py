"""Kinds: what a recipe may name, and how one is made from its options.

The options of a kind are the arguments of its constructor, checked by pydantic against that very
signature. A new kind is one more entry of these tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from infomax import augment, bounds, critics, encoders, posteriors
from infomax._errors import InfomaxError
from infomax.bounds import Bound
from infomax.recipe import Part, explained

ENCODERS = {
    "bag": encoders.Bag,
    "canonical": encoders.Canonical,
    "codebook": encoders.Codebook,
    "convnet": encoders.ConvNet,
    "gaussian": posteriors.GaussianHead,
    "gru": encoders.GRU,
    "logmel": encoders.LogMel,
    "mlp": encoders.MLP,
    "pool": encoders.Pool,
    "series": encoders.Series,
    "resnet": encoders.ResNet,
    "transformer": encoders.Transformer,
    "waveform": encoders.Waveform,
}
AUGMENTATIONS = {
    "blur": augment.blur,
    "crop_flip": augment.crop_flip,
    "crop_time": augment.crop_time,
    "crop_words": augment.crop_words,
    "drop": augment.drop,
    "drop_words": augment.drop_words,
    "erase": augment.erase,
    "gain": augment.gain,
    "grayscale": augment.grayscale,
    "hiss": augment.hiss,
    "jitter": augment.jitter,
    "noise": augment.noise,
    "rescale": augment.rescale,
    "shift_time": augment.shift_time,
    "swap": augment.swap,
}
CRITICS = {
    "bilinear": critics.Bilinear,
    "cosine": critics.Cosine,
    "joint": critics.Joint,
    "separable": critics.Separable,
}
CRITICS_OF_MANY = {
    "multilinear": critics.Multilinear,
}
MARGINALS = {
    "flow": posteriors.FlowMarginal,
    "gaussian": posteriors.GaussianMarginal,
    "mixture": posteriors.MixtureMarginal,
    "normal": posteriors.StandardNormal,
}


def make(kinds: Mapping[str, Callable[..., Any]], part: Part, where: str) -> Any:  # noqa: ANN401
    """Make one part from its kind and options.

    Raises:
        InfomaxError: an unknown kind; an option the kind does not have, or of the wrong type.

    Example:
        >>> make(CRITICS, {"kind": "separable", "dim": 8}, "critic").scale == 8 ** -0.5
        True
    """
    options = {"kind": part} if isinstance(part, str) else dict(part)
    kind = str(options.pop("kind", None))
    if kind not in kinds:
        raise InfomaxError(
            wanted=f"{where}: one of the kinds " + ", ".join(sorted(kinds)),
            got=repr(kind),
            fix="write the kind as one of these, e.g. {kind: " + min(kinds) + "}",
        )
    constructor = kinds[kind]
    target = constructor if inspect.isfunction(constructor) else constructor.__init__
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError:  # of code that is not ours: a name that only a type checker knows
        hints = {}
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), ... if p.default is p.empty else p.default)
        for name, p in inspect.signature(target).parameters.items()
        if name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)  # nn.Module's own
    }
    schema = create_model(
        kind, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields
    )
    try:
        checked = schema.model_validate(options)
    except ValidationError as error:
        raise explained(error, f"{where} (kind {kind})") from None
    try:
        return constructor(**{name: getattr(checked, name) for name in fields})
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        if isinstance(error, InfomaxError):
            raise
        raise InfomaxError(
            wanted=f"{where}: options that make a {kind}",
            got=f"{options}: {str(error).splitlines()[0]}",
            fix="correct the numbers",
        ) from None


def known(name: str, among: Mapping[str, Any], where: str, what: str) -> None:
    """Refuse a name that the recipe does not define."""
    if name not in among:
        raise InfomaxError(
            wanted=f"{where}: {what} of the recipe (" + ", ".join(among) + ")",
            got=repr(name),
            fix="correct the name, or define it",
        )


def named_bound(part: Part, where: str) -> Bound:
    """A bound by its name in a recipe, at the settings given."""
    options = {"kind": part} if isinstance(part, str) else dict(part)
    bound = bounds.by_name(str(options.pop("kind", "")))
    try:
        settings = {name: float(value) for name, value in options.items()}
    except (TypeError, ValueError):
        raise InfomaxError(
            wanted=f"{where}: numbers as settings of {bound.name}",
            got=repr(options),
            fix="write e.g. {kind: smile, clip: 5.0}",
        ) from None
    return bound(**settings) if settings else bound
