"""How much do two variables tell about each other? A portfolio of estimators, judged held out.

`estimate(x, y)` gives the number with its interval, a held-out lower bound with its limit, and what
may be claimed.
"""

from infomax.estimation.answer import estimate
from infomax.estimation.face import MutualInformation
from infomax.estimation.files import read
from infomax.estimation.pairwise import Pairwise, pairwise
from infomax.estimation.ratio import Ratio, hold
from infomax.estimation.result import Estimate, Tried

__all__ = [
    "Estimate",
    "MutualInformation",
    "Pairwise",
    "Ratio",
    "Tried",
    "estimate",
    "hold",
    "pairwise",
    "read",
]
