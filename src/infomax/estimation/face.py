"""A scikit-learn face: an estimator with parameters, `fit` and `score`."""

from __future__ import annotations

from typing import Any

from infomax._errors import InfomaxError
from infomax.estimation.answer import estimate
from infomax.estimation.inputs import Discrete, columns
from infomax.estimation.result import Estimate


class MutualInformation:
    """I(X; Y) as a scikit-learn estimator: `fit(X, y)`, then `nats_` and `estimate_`.

    `score(X, y)` is the held-out lower bound on the rows it is given, so that cross-validation
    chooses the features that tell more; `fit` keeps nothing that `score` would leak.

    Args:
        discrete: as in `estimate`.
        level: confidence of the interval.
        seed: as in `estimate`.
        budget: seconds a fit, about; None: fixed work.
        max_dropped: as in `estimate`.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(400, 1))
        >>> found = MutualInformation(seed=1).fit(x, x + 1.0 * x[::-1])
        >>> found.nats_ > 0.2, found.get_params()["seed"]
        (True, 1)
    """

    _estimator_type = "estimator"
    nats_: float
    estimate_: Estimate
    n_features_in_: int

    def __init__(
        self,
        *,
        discrete: Discrete = "auto",
        level: float = 0.95,
        seed: int = 0,
        budget: float | None = None,
        max_dropped: float = 0.1,
    ) -> None:
        self.discrete: Discrete = discrete
        self.level = level
        self.seed = seed
        self.budget = budget
        self.max_dropped = max_dropped

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the parameters by name."""
        names = ("discrete", "level", "seed", "budget", "max_dropped")
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> MutualInformation:  # noqa: ANN401 - the signature scikit-learn asks
        """Set parameters by name; raises InfomaxError for one that does not exist."""
        for name, value in params.items():
            if name not in self.get_params():
                raise InfomaxError(
                    wanted=f"one of {', '.join(self.get_params())}", got=name, fix="mind the name"
                )
            setattr(self, name, value)
        return self

    def fit(self, X: object, y: object) -> MutualInformation:
        """Estimate I(X; y)."""
        self.estimate_ = estimate(X, y, **self.get_params())
        self.nats_ = self.estimate_.nats
        self.n_features_in_ = len(columns(X, "X"))
        return self

    def score(self, X: object, y: object) -> float:
        """The held-out lower bound of I(X; y) on these rows, in nats."""
        bound = estimate(X, y, **self.get_params()).lower_bound
        return float("nan") if bound is None else bound

    def __sklearn_tags__(self) -> object:
        """What scikit-learn 1.6 and later ask about an estimator."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=True))
