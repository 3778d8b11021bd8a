"""Small problems that several test files train on, and what they watch while it runs."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def halves(*, limit=None, hidden=32, dim=8, noise=0.2, critic="separable", **train):
    """A recipe, not yet checked: the halves of a noisy digit, through one small net."""
    return {
        "paper": "Nobody 2026",
        "data": {"source": "digits", **({} if limit is None else {"limit": limit})},
        "encoders": {"net": {"kind": "mlp", "hidden": [hidden], "dim": dim}},
        "views": {
            "picture": {"signal": "picture"},
            "seen": {"of": "picture", "augment": {"kind": "noise", "std": noise}},
            "top": {"of": "seen", "half": "top"},
            "bottom": {"of": "seen", "half": "bottom"},
            "z": {"of": "top", "encode": "net"},
            "w": {"of": "bottom", "encode": "net"},
        },
        "maximize": [{"between": ["z", "w"], "critic": critic}],
        "train": {"batch": 128, "lr": 3e-3, **train},
        "evaluate": {"view": "z", "profile": False},
    }


class LargestTensor(TorchDispatchMode):
    """How many numbers the largest tensor has that is made while this is entered."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.numbers = max(self.numbers, *sizes, 0)
        return out
