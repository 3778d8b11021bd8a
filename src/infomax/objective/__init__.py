"""The objective: a weighted sum of edges between views, written as in the formula.

``I(a, b) + 0.5 * I(c, b, bound=bounds.JS) - 1e-3 * I(x, z, bound=bounds.Rate)``. An `Edge` knows
what its bound takes (scores of all pairs, or log densities) and computes just that from the views
of a batch.
"""

from infomax.objective.edge import Edge, Gather, Measured
from infomax.objective.formula import TC, I, Objective, Term
from infomax.objective.model import Model

__all__ = ["TC", "Edge", "Gather", "I", "Measured", "Model", "Objective", "Term"]
