"""The ranges that options of encoders, critics and augmentations may lie in, as annotated types.

A recipe is checked against the signatures of the constructors it names (`building.kinds`); with
these types a signature says not only that a number is wanted but which.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

Count = Annotated[int, Field(ge=1)]
"""One or more."""
Size = Annotated[int, Field(ge=0)]
"""Zero or more."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Above zero."""
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Zero or more."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
"""Any number."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A share or a probability."""


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the smaller number first")
    return span


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("an odd number of pixels")
    return size


PositiveShare = Annotated[float, Field(gt=0, le=1)]
Shares = Annotated[tuple[PositiveShare, PositiveShare], AfterValidator(_ordered)]
"""From the smallest share to the largest, both above zero."""
Span = Annotated[tuple[Positive, Positive], AfterValidator(_ordered)]
"""From the smallest number to the largest, both above zero."""
Odd = Annotated[int, Field(ge=1), AfterValidator(_odd)]
"""An odd number, one or more."""
