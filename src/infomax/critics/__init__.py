"""Critics: pairs, or tuples, of views -> one score each.

`pairs`: s[..., i, j] = f(x_i, y_j). `multilinear`: an anchor of one view with tuples of others.
"""

from infomax.critics.multilinear import Multilinear
from infomax.critics.pairs import Bilinear, Cosine, Joint, Separable
from infomax.critics.started import GaussianStarted

__all__ = ["Bilinear", "Cosine", "GaussianStarted", "Joint", "Multilinear", "Separable"]
