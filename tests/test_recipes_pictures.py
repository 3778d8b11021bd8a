"""The picture papers: each recipe builds, trains, is valued; each makes its own choice of views."""

import numpy as np
import pytest
import torch
from PIL import Image

from infomax import building, data, engine, recipe, runs
from infomax._errors import InfomaxError
from infomax.evaluation import embed, value_terms
from infomax.objective import Model
from infomax.records import read_results
from infomax.slices import Channels
from infomax.views import evaluate

DIGITS = "data={source: digits, limit: 300, signals: {picture: {kind: picture, size: 28}}}"
SMALL = ["train.epochs=1", "train.batch=64", "evaluate.profile=false"]
NARROW = "{kind: convnet, width: 8, stages: 3}"


def read(name, *settings):
    chosen = recipe.read(name, [DIGITS, *SMALL, *settings])
    return chosen, data.load(chosen.data)


@pytest.mark.parametrize(
    "name", ["dim-local", "dim-global", "amdim", "infomin", "mib", "simclr", "cpc-picture"]
)
def test_a_picture_paper_trains_and_is_valued(name, tmp_path):
    eye = "eye.width=8" if name == "cpc-picture" else f"conv={NARROW}"
    chosen, contexts = read(name, f"encoders.{eye}")
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    before = {n: p.clone() for n, p in model.named_parameters()}
    engine.fit(model, contexts, chosen.train, tmp_path)
    still = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    assert not [n for n in still if before[n].requires_grad], "a part that no edge trains"
    terms = value_terms(model, contexts, chosen.train.batch)
    assert all(np.isfinite([t.nats, t.stderr, t.control_nats]).all() for t in terms)
    assert all(t.nats <= t.ceiling + 1e-5 for t in terms if t.ceiling is not None)
    seen = embed(study.views[chosen.evaluate.view], contexts, "test")
    assert seen.shape[0] == contexts.count("test") and np.isfinite(seen).all()


def steps(name):
    chosen = recipe.read(name)
    edges = [(e.between, e.bound, e.given) for e in (*chosen.maximize, *chosen.minimize)]
    return chosen, edges


def test_each_paper_makes_the_choice_of_views_it_is_known_for():
    local, edges = steps("dim-local")
    assert edges == [(("local", "global"), "js", None)]
    assert local.views["local"].at == "stage2" and local.views["global"].at is None
    middle, edges = steps("dim-global")
    assert [bound for _, bound, _ in edges] == ["js", "rate"]
    assert middle.encoders["code"]["kind"] == "gaussian" and middle.minimize[0].weight < 0.1
    scales, edges = steps("amdim")
    ends = [(scales.views[local].at, local[-1], whole[-1]) for (local, whole), _, _ in edges]
    assert {(at, a + b) for at, a, b in ends} == {
        (at, pair) for at in ("stage2", "stage3") for pair in ("ab", "ba")
    }
    _, edges = steps("mib")
    assert edges[1:] == [(("a", "z_a"), "rate", "z_b"), (("b", "z_b"), "rate", "z_a")]


def test_what_is_seen_so_far_says_nothing_of_what_is_below():
    """A memory in raster order, and predictions that share no pixel with it."""
    chosen, _ = read("cpc-picture", "encoders.eye.width=8")
    study = building.build(chosen)
    sofar, cut = study.views["sofar"], study.views["patches"].step
    assert cut.columns(28) == 6 and min(chosen.maximize[0].ahead) == 2 * 6
    pictures = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    changed = pictures.clone()
    changed[:, :, 8:] = 0.5  # below the first row of patches; the row two below begins there
    with torch.no_grad():
        one, two = (evaluate([sofar], {"picture": p}).tensors[sofar] for p in (pictures, changed))
    torch.testing.assert_close(one[:, :6], two[:, :6])
    assert not torch.allclose(one[:, 6:], two[:, 6:])


def test_local_edges_are_of_every_place_and_whole_ones_of_one():
    for name, places in (("dim-local", 49), ("dim-global", None), ("amdim", 16)):
        chosen, contexts = read(name, f"encoders.conv={NARROW}")
        study = building.build(chosen)
        model = Model(study.objective, dict(study.encoders))
        engine.set_up(model, study, contexts, chosen.train)
        batch = contexts.take("train", range(8))
        scores = model(batch.signals)[0].terms[0]
        assert scores.shape == ((places, 1, 8, 8) if places else (8, 8)), name


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """Discs whose lightness and hue go together, on noise: 96 files, two classes."""
    folder, rng = tmp_path_factory.mktemp("coloured"), np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for index in range(96):
        pixels = rng.integers(100, 140, (32, 32, 3))
        disc = (y - rng.integers(8, 24)) ** 2 + (x - rng.integers(8, 24)) ** 2 < 40
        pixels[disc] = rng.integers(0, 256, 3)
        place = folder / ("bright" if index % 2 else "dark")
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index}.png")
    return folder


def test_lightness_and_colours_of_one_crop_are_trained_from_a_folder(coloured, tmp_path):
    settings = [*SMALL, "train.batch=32", f"encoders={{light: {NARROW}, colour: {NARROW}}}"]
    chosen = recipe.read("cmc", [f"data.path={coloured}", *settings])
    runs.train(chosen, tmp_path / "run")
    (term,) = read_results(tmp_path / "run" / "results.json").terms
    assert tuple(term.between) == ("z_L", "z_ab") and np.isfinite(term.nats)
    study, contexts = building.build(chosen), data.load(chosen.data)
    views = [study.views[name] for name in ("seen", "L", "ab")]
    values = evaluate(views, contexts.take("train", range(4)).signals).tensors
    seen, light, colours = (values[view] for view in views)
    assert torch.equal(light, Channels("L")(seen)) and colours.shape[1] == 2


def test_grey_pictures_have_no_colours_and_nothing_is_written(tmp_path):
    chosen = recipe.read("cmc", [DIGITS, *SMALL])
    with pytest.raises(InfomaxError, match="grey pictures have no colour"):
        runs.train(chosen, tmp_path / "run")
    assert not (tmp_path / "run").exists()
