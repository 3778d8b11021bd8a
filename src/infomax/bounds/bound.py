"""A bound as a value: what to train, what to report, on which side of the truth it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from infomax._errors import InfomaxError

Side = Literal["lower", "upper", "estimate"]
Needs = Literal["scores", "densities"]


def no_ceiling(k: int) -> None:
    """Return None: a bound without ceiling, whatever the number k of candidates."""
    return None


@dataclass(frozen=True)
class Bound:
    """One bound of mutual information, with its side: the type that edges of an objective take.

    loss(*terms) is minus the training signal: minimizing it maximizes the information.
    value(*terms) is in nats. Terms are (scores,), or (log_p, log_r) where `needs` is "densities";
    both functions take the keywords `positives` and `mask`. ceiling(k) is the largest value that k
    candidates can show, or None. tiled(x, y, scale, positives=None) is `loss(scale * x @ y.T)`
    without ever holding that matrix, where there is such a form. Calling a bound with settings
    gives the same bound at those settings; two bounds with one name and settings are equal.
    `conditional`: log_r may be another view's posterior of the same variable, and the value then
    lies on the same side of the information that is conditional on that view.

    Errors: InfomaxError for a setting that the bound does not have.

    Example:
        >>> from infomax import bounds
        >>> bounds.InfoNCE.side, round(bounds.InfoNCE.ceiling(512), 2)
        ('lower', 6.24)
        >>> bounds.SMILE(clip=1.0).settings
        (('clip', 1.0),)
    """

    name: str
    side: Side
    needs: Needs
    loss: Callable[..., Tensor] = field(compare=False, repr=False)
    value: Callable[..., Tensor] = field(compare=False, repr=False)
    ceiling: Callable[[int], float | None] = field(default=no_ceiling, compare=False, repr=False)
    tiled: Callable[..., Tensor] | None = field(default=None, compare=False, repr=False)
    conditional: bool = False
    settings: tuple[tuple[str, float | None], ...] = ()
    remake: Callable[..., Bound] | None = field(default=None, compare=False, repr=False)

    def __call__(self, **settings: float) -> Bound:
        """Return the same bound at these settings."""
        now = dict(self.settings)
        unknown = sorted(set(settings) - set(now))
        if unknown:
            raise InfomaxError(
                wanted=f"settings that {self.name} has: {', '.join(now) or 'it has none'}",
                got=", ".join(unknown),
                fix=f"write bounds.{self.name} with those, or alone",
            )
        return self if self.remake is None else self.remake(**{**now, **settings})
