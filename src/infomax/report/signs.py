"""The little sign on the card of a view that has no look of its own: what kind of view it is."""

from __future__ import annotations

from markupsafe import Markup

from infomax.report.svg import el


def sign(kind: str, x: float, y: float, side: float) -> Markup:
    """Draw the sign of a kind of view."""
    u = side / 6

    def block(a: float, b: float, width: float, height: float, kind: str = "sign") -> Markup:
        place = {"x": x + a * u, "y": y + b * u, "width": width * u, "height": height * u}
        return el("rect", {"class": kind, **place, "rx": 1.5})

    def line(path: str) -> Markup:
        numbers = [word if word.isalpha() else f"{float(word) * u:.1f}" for word in path.split()]
        move = f"translate({x:.1f} {y:.1f})"
        return el("path", {"class": "sign line", "d": " ".join(numbers), "transform": move})

    if kind == "middle":
        signs = [block(0.6 + 1.7 * i, 0.6 + 1.7 * j, 1.3, 1.3) for i in range(3) for j in range(3)]
    elif kind in ("features", "vector"):
        tall = (3.2, 5.0, 2.2, 4.2)
        signs = [block(0.6 + 1.3 * i, 5.6 - t, 0.9, t) for i, t in enumerate(tall)]
    elif kind == "augment":
        signs = [block(0.6, 1.8, 3.6, 3.6, "sign faint"), block(1.8, 0.6, 3.6, 3.6, "sign hollow")]
    elif kind == "slice":
        signs = [block(0.6, 0.6, 4.8, 4.8, "sign hollow"), block(0.6, 0.6, 4.8, 2.4)]
    elif kind == "picture":
        hill = line("M 1 5 L 2.6 2.8 L 3.7 4.2 L 4.3 3.5 L 5 4.4")
        signs = [block(0.4, 0.8, 5.2, 4.6, "sign hollow"), hill]
    elif kind == "text":
        signs = [line(f"M 0.7 {row} H {end}") for row, end in ((1.5, 5.3), (3, 4.5), (4.5, 5))]
    else:
        signs = [line("M 0.5 3 q 1.25 -4 2.5 0 t 2.5 0")]
    return el("g", {}, *signs)
