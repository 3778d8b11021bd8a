"""What a view looks like, drawn in a box: a picture, a sound's spectrogram, words, bars, lines."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from infomax.report.svg import el

LETTER, LINE = 5.6, 13.0
"""Pixels: the width of a letter of a text and the height of its lines."""


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One context as a view has it; whatever is not of its kind is empty."""

    picture: str = ""  # data URI
    size: tuple[float, float] = (1.0, 1.0)  # of the picture, pixels
    sound: str = ""  # data URI; the picture is then its spectrogram
    text: str = ""
    bars: tuple[float, ...] = ()
    lines: tuple[tuple[float, ...], ...] = ()


def read(shown: Mapping[str, Any]) -> Specimen:
    """Take from one view of views.json what can be drawn; media must be data of their kind.

    Raises:
        ValueError: a number that is none.
        TypeError: something else than numbers.
    """
    width, height = map(_number, shown.get("size", (1, 1)))
    return Specimen(
        picture=_media(shown, "picture", "data:image/"),
        size=(width, height),
        sound=_media(shown, "sound", "data:audio/"),
        text=str(shown.get("text", "")),
        bars=tuple(map(_number, shown.get("bars", ()))),
        lines=tuple(tuple(map(_number, line)) for line in shown.get("lines", ())),
    )


def _media(shown: Mapping[str, Any], key: str, kind: str) -> str:
    held = str(shown.get(key, ""))
    return held if held.startswith(kind) else ""


def _number(value: Any) -> float:  # noqa: ANN401 from a file
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} where a number should be")
    return number


def draw(shown: Specimen, name: str, box: tuple[float, float, float, float]) -> Markup:
    """Draw it into a box (left, top, width, height); a sound can be pressed."""
    x, y, width, height = box
    place = {"x": x, "y": y, "width": width, "height": height}
    if shown.sound:
        return _player(shown, name, place)
    if shown.picture:
        coarse = " coarse" if max(shown.size) < height else ""
        return el("image", {**place, "href": shown.picture, "class": "thumb" + coarse})
    if shown.bars:
        return _bars(shown.bars, place)
    if shown.lines:
        return _lines(shown.lines, place)
    rows = wrapped(shown.text, int((width - 12) / LETTER), int(height / LINE))
    first = y + (height - LINE * len(rows)) / 2 + 10
    texts = [
        el("text", {"x": x + 7, "y": first + LINE * i, "class": "words"}, row)
        for i, row in enumerate(rows)
    ]
    return el("g", {}, el("rect", {**place, "class": "ground", "rx": 5}), *texts)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Break a text into at most so many lines of so many letters; wide letters count double.

    Example:
        >>> wrapped("a green frog sits on a leaf", 12, 2), wrapped("extraordinarily", 8, 2)
        (['a green frog', 'sits on a…'], ['extraord', 'inarily'])
    """
    rows = [""]
    for word in (piece for whole in text.split() for piece in _pieces(whole, width)):
        longer = f"{rows[-1]} {word}".strip()
        if _columns(longer) <= width:
            rows[-1] = longer
        elif len(rows) < most:
            rows.append(word)
        else:
            kept = rows[-1]
            while _columns(kept + "…") > width:
                kept = kept[:-1]
            rows[-1] = kept + "…"
            break
    return rows


def _pieces(word: str, width: int) -> Iterator[str]:
    """A word in pieces that fit a line."""
    first = 0
    for end in range(1, len(word) + 1):
        if _columns(word[first : end + 1]) > width or end == len(word):
            yield word[first:end]
            first = end


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _player(shown: Specimen, name: str, place: Mapping[str, float]) -> Markup:
    x, middle = place["x"] + 15, place["y"] + place["height"] / 2
    triangle = f"M{x - 3:.1f} {middle - 5:.1f}l8 5l-8 5z"
    stretched = {"href": shown.picture, "preserveAspectRatio": "none", "class": "thumb"}
    return el(
        "g",
        {
            "class": "plays",
            "data-view": name,
            "tabindex": 0,
            "role": "button",
            "aria-label": f"Play {name}",
        },
        el("image", {**place, **stretched}) if shown.picture else "",
        el(
            "g",
            {"class": "play"},
            el("circle", {"cx": x, "cy": middle, "r": 11.0}),
            el("path", {"d": triangle}),
        ),
    )


def _bars(values: Sequence[float], place: Mapping[str, float]) -> Markup:
    """A bar for each number, up or down from the middle."""
    step, half = place["width"] / len(values), place["height"] / 2
    middle, thick = place["y"] + half, min(0.76 * step, 9.0)
    bars = [
        el(
            "rect",
            {
                "x": place["x"] + (i + 0.5) * step - thick / 2,
                "y": middle - max(0.0, value) * (half - 2) - 0.4,
                "width": thick,
                "height": abs(value) * (half - 2) + 0.8,
                "class": "bar",
            },
        )
        for i, value in enumerate(values)
    ]
    ground = el("rect", {**place, "class": "ground", "rx": 5})
    return el("g", {}, ground, *bars)


def _lines(lines: Sequence[Sequence[float]], place: Mapping[str, float]) -> Markup:
    """A line for each channel, each by its own range."""
    drawn = []
    for i, line in enumerate(lines):
        low, span = min(line), (max(line) - min(line)) or 1.0
        step = (place["width"] - 8) / max(1, len(line) - 1)
        points = " ".join(
            f"{place['x'] + 4 + j * step:.1f},"
            f"{place['y'] + 4 + (1 - (value - low) / span) * (place['height'] - 8):.1f}"
            for j, value in enumerate(line)
        )
        drawn.append(el("polyline", {"points": points, "style": f"stroke:var(--c{i % 8})"}))
    ground = el("rect", {**place, "class": "ground", "rx": 5})
    return el("g", {"class": "series"}, ground, *drawn)
