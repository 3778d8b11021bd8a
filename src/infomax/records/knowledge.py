"""What a representation knows of the factors of its contexts: frozen records, all in nats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from infomax.records.files import Number


@dataclass(frozen=True, kw_only=True)
class Held:
    """How many nats one stage of a view holds about one factor: at least so many."""

    view: str
    stage: str  # "raw", the stages of its encoder, "output", "untrained"
    factor: str
    kind: Literal["label", "low-level"]
    nats: Number
    stderr: Number = math.nan
    entropy: Number  # of the factor, the most there is to know
    classes: int  # of a label; bins of equal frequency of a low-level factor


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """How far low-level factors of its two ends alone go towards the value of an edge."""

    between: tuple[str, str]
    nats: Number  # between the factors of both ends, at least so many
    stderr: Number = math.nan
    ceiling: Number = math.nan
    edge_nats: Number
    share: Number  # of the edge's nats, between 0 and 1
    same_input: bool = False  # both ends see one and the same signal: its factors are the same
    factors: Mapping[str, float] = field(default_factory=dict)  # each alone, nats


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Which factors each stage of the encoders knows, and the shortcuts that the edges offer."""

    finding: str = ""
    contexts: Mapping[str, int] = field(default_factory=dict)
    held: Sequence[Held] = ()
    shortcuts: Sequence[Shortcut] = ()
