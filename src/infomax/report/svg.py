"""Drawing: elements of an SVG whose every text is escaped, and round numbers for axes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup, escape


def el(tag: str, attributes: Mapping[str, object], *children: object) -> Markup:
    """Make one element; attributes that are None are left out, floats are cut to 0.01.

    Example:
        >>> el("text", {"x": 1.234, "id": None}, "a < b")
        Markup('<text x="1.23">a &lt; b</text>')
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(Markup(name), _number(value))
        for name, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), written, inner)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Choose round numbers that cover ``[low, high]``.

    Example:
        >>> ticks(0.0, 6.24)
        [0.0, 2.0, 4.0, 6.0]
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if span / (m * power) <= about + 0.01)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def shorten(text: str, width: int) -> str:
    """Cut a text to ``width`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"
