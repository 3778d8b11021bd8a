"""Runs side by side: what differs between them, what each shows, and whether that is a fair match.

Records in, rows out; the page and the terminal only draw them.
"""

from infomax.comparison.page import render, write
from infomax.comparison.whole import Comparison, compare

__all__ = ["Comparison", "compare", "render", "write"]
