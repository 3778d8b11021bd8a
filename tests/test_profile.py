"""The information profile against exactly known nats, and shortcuts that were planted."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from infomax import Context, I, bounds, data, recipe, runs
from infomax.evaluation.finding import finding
from infomax.evaluation.profile import UNTRAINED, hold
from infomax.evaluation.reading import Probes, binned, read
from infomax.evaluation.shortcuts import shortcuts
from infomax.records import Held, Term, read_results
from infomax.truth import scenes
from problems import halves

LEVELS = {name: len(levels) for name, levels in scenes.FACTORS.items()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Scenes as contexts: the picture, and its six factors as labels."""
    made = scenes.Scenes(shared=("shape", "colour"))
    n = 6000
    values = made.factors(n, 0)["picture"]
    pictures = (255 * scenes.picture(values)).round().astype(np.uint8)
    path = tmp_path_factory.mktemp("scenes") / "scenes.npz"
    columns = {name: values[:, i] for i, name in enumerate(LEVELS)}
    np.savez(path, picture=pictures, **columns)
    spec = data.DataSpec(
        source="npz",
        path=str(path),
        label=list(LEVELS),
        signals={"picture": {"column": "picture", "kind": "picture"}},
    )
    return data.load(spec)


def test_factors_read_together_are_those_read_one_by_one():
    torch.manual_seed(0)
    frequencies = [torch.rand(k).add(0.1) for k in (2, 3, 3, 5)]
    frequencies = [shares / shares.sum() for shares in frequencies]
    probes = Probes(7, frequencies)
    nn.init.normal_(probes.linear.weight)
    nn.init.normal_(probes.top.weight)
    x, y = torch.randn(20, 7), torch.stack([torch.randint(-1, k, (20,)) for k in (2, 3, 3, 5)], 1)
    found = probes(x, y)
    for which, logits in enumerate((probes.linear(x), probes.top(probes.hidden(x)))):
        for factor, own in enumerate(logits.split([2, 3, 3, 5], 1)):
            true = y[:, factor]
            twin = -nn.functional.cross_entropy(own, true, reduction="none", ignore_index=-1)
            torch.testing.assert_close(found[which, :, factor], twin)


class MeanColour(nn.Module):
    """The mean of a picture less the grey of its ground: three numbers."""

    def forward(self, x):
        return (x - 0.5).mean((2, 3))


class WhichColour(nn.Module):
    """Which of the four colours that is, and nothing else."""

    def __init__(self):
        super().__init__()
        colours = torch.tensor(scenes.COLOURS - 0.5).float()
        self.register_buffer("colours", nn.functional.normalize(colours, dim=1))

    def forward(self, mean):
        return nn.functional.one_hot((mean @ self.colours.T).argmax(1), 4).float()


class Colours(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1, self.stage2 = MeanColour(), WhichColour()

    def forward(self, x):
        return self.stage2(self.stage1(x))


def test_on_scenes_a_deterministic_stage_holds_exactly_the_nats_it_must(drawn):
    view = Context().signal("picture").encode(Colours())
    cells = {(c.stage, c.factor): c for c in hold({"z": view}, {"z": view}, drawn)}
    for factor, levels in LEVELS.items():
        cell = cells["output", factor]
        exact = cell.entropy if factor == "colour" else 0.0  # log 4, but for who is in test
        assert cell.kind == "label" and cell.classes == levels
        assert abs(cell.nats - exact) < 3 * cell.stderr + 0.01, (factor, cell)
    for stage in ("raw", "stage1"):
        colour = cells[stage, "colour"]  # what a probe reads: never more than there is
        assert 0.9 * colour.entropy < colour.nats <= colour.entropy + 3 * colour.stderr, colour
    assert cells["raw", "row"].nats > 0.5 > 0.1 > cells["stage1", "row"].nats
    assert cells["raw", "brightness"].kind == "low-level"
    assert all(cells[UNTRAINED, name].nats == cells["output", name].nats for name in LEVELS)


class Even(nn.Module):
    """An augmentation that takes the brightness away."""

    def forward(self, x):
        return x - x.mean((1, 2, 3), keepdim=True) + 0.5


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """Two pictures of noise that share nothing but one of eight levels of brightness."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 8, 5000)[:, None, None, None] * 16 + 60
    sides = [(level + rng.normal(0, 12, (5000, 1, 8, 8))).clip(0, 255) for _ in range(2)]
    path = tmp_path_factory.mktemp("bright") / "bright.npz"
    np.savez(path, a=sides[0].astype(np.uint8), b=sides[1].astype(np.uint8))
    kinds = {name: {"column": name, "kind": "picture"} for name in "ab"}
    return data.load(data.DataSpec(source="npz", path=str(path), signals=kinds))


def shortcut(contexts, change):
    context = Context()
    ends = [change(context.signal(name)).encode(nn.Flatten()) for name in "ab"]
    objective = I(*ends, bound=bounds.InfoNCE)
    facts = {"contexts": 500, "split": "test", "control_nats": 0.0, "verdict": "ok"}
    between = ("a", "b")
    term = Term(
        between=between, bound="infonce", side="lower", nats=2.0, stderr=0.02, ceiling=5.5, **facts
    )
    (found,) = shortcuts(objective, [term], contexts, 256)
    return found


def test_a_planted_shortcut_is_found_and_an_augmentation_removes_it(bright):
    planted = shortcut(bright, lambda view: view)
    # log 8 nats are there; small critics of a few factors reach three quarters of them
    assert 0.7 * math.log(8) < planted.nats < math.log(8) + 3 * planted.stderr
    assert planted.share > 0.7 and next(iter(planted.factors)) == "brightness"
    assert "A shortcut" in finding([], [planted])
    removed = shortcut(bright, lambda view: view.augment(Even()))
    assert removed.nats < 0.05 and removed.share < 0.05
    assert "A shortcut" not in finding([], [removed])


def test_the_finding_says_what_is_held_most():
    known = {"view": "z", "stage": "output", "stderr": 0.01, "classes": 8}
    low = Held(factor="brightness", kind="low-level", nats=0.9, entropy=2.0, **known)
    label = Held(factor="digit", kind="label", nats=2.0, entropy=2.3, **known)
    assert "more than low-level" in finding([low, label])
    little = Held(factor="digit", kind="label", nats=0.1, entropy=2.3, **known)
    assert "mostly low-level" in finding([low, little])
    dim = Held(factor="brightness", kind="low-level", nats=0.15, entropy=2.0, **known)
    nothing = finding([dim, little])
    assert "little of anything from z" in nothing and "mostly" not in nothing


def test_nothing_is_held_by_a_constant_and_everything_by_the_factor_itself():
    rng = np.random.default_rng(0)
    factor = {s: rng.integers(0, 4, 2000) for s in data.SPLITS}
    other = {s: rng.integers(0, 3, 2000) for s in data.SPLITS}
    one_hot = {s: torch.eye(4)[torch.from_numpy(v)] for s, v in factor.items()}
    found = read(one_hot, {"own": factor, "other": other})
    own, none = found["own"], found["other"]
    assert abs(own.nats - math.log(4)) < 3 * own.stderr + 0.005
    assert abs(none.nats) <= 3 * none.stderr + 0.003
    assert own.entropy == pytest.approx(math.log(4), abs=0.01)


def test_a_noisy_channel_is_read_at_its_exact_nats():
    rng = np.random.default_rng(1)
    bit = {s: rng.integers(0, 2, 4000) for s in data.SPLITS}
    flipped = {s: np.where(rng.random(4000) < 0.1, 1 - b, b) for s, b in bit.items()}
    seen = {s: torch.from_numpy(f)[:, None].float() for s, f in flipped.items()}
    exact = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    found = read(seen, {"bit": bit})["bit"]
    assert abs(found.nats - exact) < 3 * found.stderr


def test_bins_are_even_and_constants_are_left_out():
    values = {s: np.random.default_rng(i).normal(size=800) for i, s in enumerate(data.SPLITS)}
    counts = np.bincount(binned(values)["train"])
    assert len(counts) == 8 and counts.min() >= 99
    assert binned({s: 0 * v for s, v in values.items()}) is None


@pytest.mark.parametrize("asked", [True, False])
def test_a_run_keeps_its_profile_if_asked(tmp_path, asked):
    tree = halves(limit=400, epochs=1)
    tree["evaluate"]["profile"] = asked
    runs.train(recipe.check(tree, "here"), tmp_path)
    profile = read_results(tmp_path / "results.json").profile
    page = (tmp_path / "report.html").read_text()
    assert ("What each stage knows" in page) == asked
    assert (profile is not None) == asked
    if profile is not None:
        stages = {cell.stage for cell in profile.held if cell.view == "z"}
        assert {"raw", "stage1", "output", UNTRAINED} <= stages
        assert profile.finding in page.replace("&#39;", "'") and profile.finding.startswith("z ")
