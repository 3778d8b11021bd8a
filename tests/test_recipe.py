import copy

import pytest
import torch
import yaml

from infomax import recipe
from infomax._errors import InfomaxError
from infomax.building import build
from infomax.building.kinds import (
    AUGMENTATIONS,
    CRITICS,
    CRITICS_OF_MANY,
    ENCODERS,
    make,
    named_bound,
)
from infomax.slices import Half

TREE = {
    "data": {"source": "digits"},
    "encoders": {"net": {"kind": "mlp", "dim": 8}},
    "views": {
        "picture": {"signal": "picture"},
        "top": {"of": "picture", "half": "top"},
        "z": {"of": "top", "encode": "net"},
        "inner": {"of": "top", "encode": "net", "at": "stage1"},
    },
    "maximize": [{"between": ["z", "inner"], "bound": "js", "weight": 0.5}],
    "evaluate": {"view": "z"},
}


def changed(path, value):
    tree = copy.deepcopy(TREE)
    here = tree
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return tree


def test_every_shipped_recipe_is_read_and_built():
    for name in recipe.shipped():
        chosen = recipe.read(name)
        assert chosen.paper, name
        assert build(chosen).objective.terms


def test_a_recipe_becomes_the_graph_it_names():
    study = build(recipe.check(TREE, "here"))
    (term,) = study.objective.terms
    assert term.weight == 0.5
    assert term.edge.bound.name == "JS"
    assert term.edge.a is study.views["z"]
    assert study.views["z"].parent.step == Half("top")
    assert study.views["z"].step.module is study.views["inner"].step.module
    assert str(term.edge.b) == "inner"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["trian"], {}, "key 'trian'"),
        (["train"], {"batches": 3}, "train.batches"),
        (["train"], {"batch": "many"}, "train.batch"),
        (["maximize", 0, "between"], ["z", "nowhere"], "nowhere"),
        (["maximize", 0, "bound"], "infonec", "infonec"),
        (["maximize", 0, "critic"], {"kind": "separable", "dims": 3}, "dims"),
        (["maximize", 0, "critic"], {"kind": "separable", "dim": "wide"}, "dim"),
        (["maximize", 0, "weight"], -1, "weight"),
        (["encoders", "net"], {"kind": "resnt"}, "resnt"),
        (["views", "z"], {"of": "top", "encode": "nett"}, "nett"),
        (["views", "z"], {"of": "top", "encode": "net", "at": "stage7"}, "stage7"),
        (["views", "z"], {"of": "top"}, "exactly one"),
        (["views", "z"], {"signal": "picture", "of": "top"}, "either"),
        (["views", "picture"], {"of": "z", "half": "top"}, "cycle"),
        (["views", "top"], {"of": "picture", "half": "upper"}, "upper"),
        (["evaluate", "view"], "zz", "zz"),
        (["data"], {"source": "digits", "limt": 3}, "limt"),
    ],
)
def test_what_is_wrong_is_named(path, value, said):
    with pytest.raises(InfomaxError) as caught:
        build(recipe.check(changed(path, value), "here"))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("std", {"kind": "noise", "std": -1}),
        ("std", {"kind": "noise", "std": float("nan")}),
        ("share", {"kind": "drop", "share": 1.5}),
        ("share", {"kind": "swap", "share": -0.1}),
        ("share", {"kind": "drop_words", "share": 2}),
        ("scale", {"kind": "crop_words", "scale": [0.9, 0.1]}),
        ("scale", {"kind": "crop_flip", "scale": [1.0, 0.3]}),
        ("scale", {"kind": "crop_flip", "scale": [0, 0]}),
        ("ratio", {"kind": "crop_flip", "ratio": [0, 1]}),
        ("flip", {"kind": "crop_flip", "flip": 2}),
        ("contrast", {"kind": "jitter", "contrast": 5}),
        ("sigma", {"kind": "blur", "sigma": [2, 1]}),
        ("size", {"kind": "blur", "size": 4}),
        ("scale", {"kind": "erase", "scale": [0.5, 0.1]}),
        ("seconds", {"kind": "crop_time", "seconds": 0}),
        ("rate", {"kind": "crop_time", "rate": 0}),
        ("decibels", {"kind": "gain", "decibels": float("inf")}),
        ("share", {"kind": "shift_time", "share": -1}),
        ("spread", {"kind": "rescale", "spread": -1}),
        ("lowest", {"kind": "hiss", "lowest": float("nan")}),
        ("dim", {"kind": "mlp", "dim": 0}),
        ("hidden", {"kind": "mlp", "hidden": [0]}),
        ("width", {"kind": "convnet", "width": 0}),
        ("grid", {"kind": "resnet", "grid": 0}),
        ("width", {"kind": "series", "width": 0}),
        ("layers", {"kind": "gru", "layers": 0}),
        ("hop", {"kind": "logmel", "hop": 0}),
        ("mels", {"kind": "logmel", "mels": 0}),
        ("strides", {"kind": "waveform", "strides": [0]}),
        ("grams", {"kind": "bag", "grams": -1}),
        ("mels", {"kind": "codebook", "rate": 8000, "mels": 0}),
        ("hop", {"kind": "codebook", "rate": 8000, "hop": 0}),
        ("ridge", {"kind": "canonical", "ridge": 1.5}),
        ("dropout", {"kind": "transformer", "dropout": 2}),
        ("dim", {"kind": "gaussian", "dim": 0}),
        ("dim", {"kind": "cosine", "dim": -1}),
        ("hidden", {"kind": "separable", "hidden": [-1]}),
        ("dim", {"kind": "multilinear", "dim": 0}),
    ],
)
def test_an_option_out_of_its_range_is_refused_by_name(key, part):
    tables = (AUGMENTATIONS, ENCODERS, CRITICS, CRITICS_OF_MANY)
    kinds = next(table for table in tables if part["kind"] in table)
    with pytest.raises(InfomaxError, match=key):
        make(kinds, part, "here")


@pytest.mark.parametrize(
    "setting",
    [
        *("train.epochs=-1", "train.batch=1", "train.lr=0", "train.lr=.nan", "train.lr=.inf"),
        *("train.weight_decay=-1", "train.warmup=-1", "train.seed=-1", "maximize.0.weight=.nan"),
        *("data.test=1.0", "data.validation=0", "data.limit=0"),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_name(setting):
    with pytest.raises(InfomaxError, match=setting.partition("=")[0]):
        recipe.read("mnist-halves", [setting])


def test_bounds_refuse_settings_that_mean_nothing():
    for part in ({"kind": "smile", "clip": -1}, {"kind": "interpolated", "alpha": 2}):
        with pytest.raises(InfomaxError):
            named_bound(part, "here")


def test_a_cycle_is_named_in_its_order():
    tree = changed(["views", "picture"], {"of": "z", "half": "top"})
    with pytest.raises(InfomaxError, match="picture -> z -> top -> picture"):
        build(recipe.check(tree, "here"))


def test_the_seed_of_a_recipe_decides_the_first_weights():
    chosen = recipe.read("simclr", ["data={source: digits}"])
    one, two = (build(chosen).encoders["conv"].state_dict() for _ in range(2))
    other = build(recipe.read("simclr", ["train.seed=1"])).encoders["conv"].state_dict()
    name = "stage2.down.weight"
    assert torch.equal(one[name], two[name])
    assert not torch.equal(one[name], other[name])


def test_a_view_named_twice_is_refused(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("views:\n  a: {signal: x}\n  a: {signal: y}\n")
    with pytest.raises(InfomaxError, match="'a' stands twice"):
        recipe.read(path)


def test_settings_reach_into_lists_and_are_checked():
    chosen = recipe.read("mnist-halves", ["train.epochs=3", "maximize.0.bound=js", "train.lr=1e-4"])
    assert (chosen.train.epochs, chosen.maximize[0].bound) == (3, "js")
    assert chosen.train.lr == 1e-4
    for setting in ("train.epoch=3", "train.epochs", "maximize.7.bound=js", "train.epochs.x=1"):
        with pytest.raises(InfomaxError):
            recipe.read("mnist-halves", [setting])


def test_a_recipe_written_is_the_recipe_read(tmp_path):
    chosen = recipe.read("mnist-halves", ["train.epochs=3"])
    path = tmp_path / "recipe.yaml"
    recipe.write(chosen, path)
    assert recipe.read(path) == chosen
    assert yaml.safe_load(path.read_text())["paper"] == chosen.paper
