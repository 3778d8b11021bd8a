"""Encoders of the user's own: imported only where that is allowed, checked like every kind."""

import sys

import numpy as np
import pytest
import torch

from infomax import recipe
from infomax._errors import InfomaxError
from infomax.building import build
from infomax.building.code import code_of
from infomax.cli import main

MODULE = """
from pathlib import Path
import torch
from torch import nn
Path(__file__).with_name("imported").touch()


class Net(nn.Module):
    def __init__(self, width: int = 8, *, deep=None, **others):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(width))

    def forward(self, value):
        return self.net(value.float())


class NoNet:
    pass


number = 3
"""


def tree(encoder):
    return {
        "paper": "Nobody 2026",
        "data": {"source": "digits"},
        "encoders": {"mine": encoder},
        "views": {
            "picture": {"signal": "picture"},
            "top": {"of": "picture", "half": "top"},
            "bottom": {"of": "picture", "half": "bottom"},
            "z": {"of": "top", "encode": "mine"},
            "w": {"of": "bottom", "encode": "mine"},
        },
        "maximize": [{"between": ["z", "w"]}],
        "train": {"epochs": 1, "batch": 128},
        "evaluate": {"view": "z", "profile": False},
    }


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a module of the user's, which infomax is run in."""
    (tmp_path / "own_nets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_nets", None)


def built(encoder, **options):
    return build(recipe.check(tree(encoder), "here"), **options)


@pytest.mark.parametrize(
    "encoder",
    [
        "python: own_nets:Net",
        {"kind": "python: own_nets:Net", "width": 8},
        {"python": "own_nets:Net", "width": 8},
    ],
)
def test_code_is_imported_only_with_leave(own, encoder):
    path = list(sys.path)
    with pytest.raises(InfomaxError, match="--allow-code"):
        built(encoder)
    assert not (own / "imported").exists() and "own_nets" not in sys.modules
    module = built(encoder, allow_code=True).encoders["mine"]
    assert module(torch.zeros(2, 1, 4, 8)).shape == (2, 8)
    assert sys.path == path


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ({"python": "own_nets:Net", "width": "wide"}, "width"),
        ({"python": "own_nets:Net", "height": 3}, "height"),
        ({"python": "own_nets:NoNet"}, "NoNet"),
        ({"python": "own_nets:number"}, "int"),
        ({"python": "own_nets:Nobody"}, "Nobody"),
        ({"python": "no_such_nets:Net"}, "no_such_nets"),
        ({"python": "own_nets.Net"}, "colon"),
        ({"python": "os;evil:Net"}, "colon"),
    ],
)
def test_code_that_does_not_fit_is_named(own, encoder, said):
    with pytest.raises(InfomaxError, match=said):
        built(encoder, allow_code=True)


def test_a_part_without_code_is_no_code():
    assert code_of({"kind": "convnet", "width": 3}) is None
    assert code_of("mlp") is None


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["infomax", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code or 0, capsys.readouterr().err


def test_every_verb_that_builds_needs_the_flag(own, monkeypatch, capsys):
    chosen = recipe.check(tree({"python": "own_nets:Net", "width": 8}), "here")
    recipe.write(chosen, own / "own.yaml")
    verbs = [
        ("train", "own.yaml", "--out", "run"),
        ("evaluate", "run"),
        ("embed", "run", "digits", "--view", "z", "--out", "z.npy"),
    ]
    for words in verbs:
        code, error = run(monkeypatch, capsys, *words)
        assert code == 2 and "--allow-code" in error and "Traceback" not in error
        code, _ = run(monkeypatch, capsys, *words, "--allow-code")
        assert code == 0
    assert np.load("z.npy").shape == (1797, 8)
