"""The bounds of a critic as `Bound` objects: what each trains, what it reports, on which side.

Those that train one thing and report another (JS, SMILE, TightJS) say so here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor

from infomax._errors import InfomaxError
from infomax.bounds import jensen_shannon, scores, tiled
from infomax.bounds.bound import Bound
from infomax.bounds.scores import Mask, Positives

Function = Callable[..., Tensor]


def minus(
    value: Function, *terms: Tensor, positives: Positives = None, mask: Mask = None
) -> Tensor:
    """Turn what is to be maximized into a loss."""
    return -value(*terms, positives=positives, mask=mask)


def _minus_tiled(
    value: Function, x: Tensor, y: Tensor, scale: Tensor | float, *, positives: Positives = None
) -> Tensor:
    return -value(x, y, scale, positives=positives)


_two_sided = partial(scores.infonce, two_sided=True)
_js_loss = partial(minus, jensen_shannon.js_signal)
_js_tiled = partial(_minus_tiled, tiled.js_signal)

InfoNCE = Bound(
    name="InfoNCE",
    side="lower",
    needs="scores",
    loss=partial(minus, scores.infonce),
    value=scores.infonce,
    ceiling=math.log,
    tiled=partial(_minus_tiled, tiled.infonce),
)
SymmetricInfoNCE = Bound(
    name="SymmetricInfoNCE",
    side="lower",
    needs="scores",
    loss=partial(minus, _two_sided),
    value=_two_sided,
    ceiling=math.log,
    tiled=partial(_minus_tiled, partial(tiled.infonce, two_sided=True)),
    two_sided=True,
)
NWJ = Bound(
    name="NWJ",
    side="lower",
    needs="scores",
    loss=partial(minus, scores.nwj),
    value=scores.nwj,
    tiled=partial(_minus_tiled, tiled.nwj),
)
DonskerVaradhan = Bound(
    name="DonskerVaradhan",
    side="estimate",  # a lower bound in the limit only: the log of a sample mean errs, upwards here
    needs="scores",
    loss=partial(minus, scores.donsker_varadhan),
    value=scores.donsker_varadhan,
    tiled=partial(_minus_tiled, tiled.donsker_varadhan),
)
JS = Bound(
    name="JS",
    side="lower",
    needs="scores",
    loss=_js_loss,
    value=jensen_shannon.js,
    tiled=_js_tiled,
)


def _smile(clip: float = 5.0) -> Bound:
    if not 0 < clip < math.inf:
        raise InfomaxError(
            wanted="a clip of SMILE above 0 (nats)", got=f"clip: {clip}", fix="5.0 is usual"
        )
    return Bound(
        name="SMILE",
        side="estimate",
        needs="scores",
        loss=_js_loss,
        value=partial(jensen_shannon.smile, clip=clip),
        tiled=_js_tiled,
        settings=(("clip", clip),),
        remake=_smile,
    )


def _tight_js(anchor: float | None = None) -> Bound:
    return Bound(
        name="TightJS",
        side="estimate" if anchor is None else "lower",
        needs="scores",
        loss=_js_loss,
        value=partial(jensen_shannon.js_tight, anchor=anchor),
        tiled=_js_tiled,
        settings=(("anchor", anchor),),
        remake=_tight_js,
    )


def _tuba(log_baseline: float = 0.0) -> Bound:
    value = partial(scores.tuba, log_baseline=log_baseline)
    return Bound(
        name="TUBA",
        side="lower",
        needs="scores",
        loss=partial(minus, value),
        value=value,
        settings=(("log_baseline", log_baseline),),
        remake=_tuba,
    )


def _interpolated(alpha: float = 0.01, log_baseline: float = 0.0) -> Bound:
    if not 0 <= alpha <= 1:
        raise InfomaxError(
            wanted="an alpha of Interpolated within [0, 1]",
            got=f"alpha: {alpha}",
            fix="1 is InfoNCE, 0 is TUBA; 0.01 is usual",
        )
    value = partial(scores.interpolated, log_baseline=log_baseline, alpha=alpha)
    return Bound(
        name="Interpolated",
        side="lower",
        needs="scores",
        loss=partial(minus, value),
        value=value,
        ceiling=partial(_ceiling, alpha),
        settings=(("alpha", alpha), ("log_baseline", log_baseline)),
        remake=_interpolated,
    )


def _ceiling(alpha: float, k: int) -> float | None:
    return math.log(k / alpha) if alpha > 0 else None


SMILE = _smile()
TightJS = _tight_js()
TUBA = _tuba()
Interpolated = _interpolated()
