"""Runs side by side: what differs between them, what each shows, and whether that is a fair match.

Records in, rows out; the page and the terminal only draw them.
"""

from infomax.comparison.curve import Point, finding, points
from infomax.comparison.page import render, told, write
from infomax.comparison.rows import Cell, Row, rows
from infomax.comparison.sides import Difference, Run, differences, read, warnings

__all__ = [
    "Cell",
    "Difference",
    "Point",
    "Row",
    "Run",
    "differences",
    "finding",
    "points",
    "read",
    "render",
    "rows",
    "told",
    "warnings",
    "write",
]
