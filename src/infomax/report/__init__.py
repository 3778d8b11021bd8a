"""A run folder in, one self-contained HTML page out."""

from infomax.report.figures import write_figures
from infomax.report.page import render, write

__all__ = ["render", "write", "write_figures"]
