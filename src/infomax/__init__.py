"""infomax: learn by maximizing mutual information between views; say it honestly, in nats.

    from infomax import Context, I, bounds, encoders, augment

The public names; each room is imported when it is first used, so that ``infomax --help`` answers
at once.
"""

from importlib import import_module

_ROOMS = (
    "augment",
    "bounds",
    "critics",
    "data",
    "encoders",
    "estimation",
    "posteriors",
    "recipe",
    "report",
    "runs",
    "slices",
    "truth",
)
_NAMES = {
    "Context": "views",
    "I": "objective",
    "InfomaxError": "_errors",
    "Model": "objective",
    "MutualInformation": "estimation",
    "Objective": "objective",
    "TC": "objective",
    "View": "views",
    "estimate": "estimation",
    "pairwise": "estimation",
}

__all__ = [*_NAMES, *_ROOMS]  # noqa: PLE0604 - a list of names


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"infomax.{name}")
    if name in _NAMES:
        return getattr(import_module(f"infomax.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'infomax' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
