"""A run folder in, one self-contained HTML page out."""

from infomax.report.page import render, write

__all__ = ["render", "write"]
