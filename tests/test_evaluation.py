"""What a run is judged by: linear baselines, probes of few and missing labels, views looked for."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import HashingVectorizer
from torch import nn

from infomax import bounds, building, data, engine, evaluation, recipe, runs
from infomax._errors import InfomaxError
from infomax.data import SPLITS
from infomax.evaluation import fixed, neighbours, probes, probing, searches, searching, zero_shot
from infomax.evaluation.baselines import both, choose_cca, fit_cca, projected
from infomax.evaluation.retrieval import by_cosine, cosine, retrieve
from infomax.objective import Edge, Model
from infomax.views import Context

# ---------------------------------------------------------------- linear CCA


def correlated(n, dx, dy, shared, noise, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, shared))
    x = z @ rng.normal(size=(shared, dx)) + noise * rng.normal(size=(n, dx))
    y = z @ rng.normal(size=(shared, dy)) + noise * rng.normal(size=(n, dy))
    return 5 + 100 * x, y


def test_cca_without_a_ridge_is_sklearns():
    from sklearn.cross_decomposition import CCA

    x, y = correlated(500, 5, 4, 3, 1.0)
    theirs = CCA(3, max_iter=5000, tol=1e-10).fit(x, y)
    a, b = theirs.transform(x, y)
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(3)]
    ours = fit_cca(x, y, ridge=0.0)
    assert np.allclose(ours.correlations[:3], expected, atol=1e-5)
    p, q = ours.project(x, y)
    for i in range(3):
        assert abs(np.corrcoef(p[:, i], a[:, i])[0, 1]) > 1 - 1e-5
        assert np.corrcoef(p[:, i], q[:, i])[0, 1] == pytest.approx(expected[i], abs=1e-5)
    # a direction counts by its correlation
    assert np.allclose(p.std(0), np.sqrt(ours.correlations), atol=1e-6)


def test_cca_knows_the_correlation_of_a_gaussian():
    rng = np.random.default_rng(0)
    rho = np.array([0.9, 0.6, 0.2])
    x = rng.normal(size=(200_00, 3))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(200_00, 3))
    mixed = x @ rng.normal(size=(3, 3)), y @ rng.normal(size=(3, 3))
    assert np.allclose(fit_cca(*mixed, ridge=0.0).correlations, rho, atol=0.02)


def test_cca_stands_constant_and_repeated_columns_and_more_columns_than_rows():
    x, y = correlated(60, 5, 4, 2, 0.5)
    odd = np.concatenate([x, x[:, :1], np.full((60, 1), 7.0)], 1)
    ours = fit_cca(odd, y, ridge=0.0)
    assert np.isfinite(ours.correlations).all()
    assert ours.correlations.max() <= 1 + 1e-9
    wide = np.random.default_rng(1).normal(size=(60, 200))
    assert (
        fit_cca(wide, y, ridge=0.5).correlations.max() < 0.9
    )  # a ridge keeps it from learning by heart
    assert fit_cca(wide, y, ridge=1e-6).correlations.max() > 0.99
    with pytest.raises(InfomaxError, match="paired"):
        fit_cca(x[:2], y[:2])


def test_baselines_do_not_depend_on_the_units_of_columns():
    rng = np.random.default_rng(0)
    y = {
        split: rng.integers(0, 3, n)
        for split, n in (("train", 300), ("validation", 80), ("test", 80))
    }
    x = {split: np.eye(3)[c] + 0.4 * rng.normal(size=(len(c), 3)) for split, c in y.items()}
    units = np.array([1e-11, 1.0, 1e9])
    odd = {split: rows * units for split, rows in x.items()}
    for metric in probes.METRICS:
        assert probes.probe(odd, y, metric, "all") == probes.probe(x, y, metric, "all")
    ours = fit_cca(odd["train"], x["train"][:, ::-1])
    assert np.allclose(ours.correlations, fit_cca(x["train"], x["train"]).correlations)


def test_ridge_and_dimensions_are_chosen_by_validation_and_missing_rows_left_out():
    x, y = correlated(900, 80, 60, 5, 2.0)
    x[::7] = np.nan
    cut = {"train": slice(0, 200), "validation": slice(200, 500), "test": slice(500, 900)}
    fx, fy = ({s: side[c] for s, c in cut.items()} for side in (x, y))
    chosen = choose_cca(fx, fy)
    assert 4 <= len(chosen.correlations) <= 16
    p, q = projected(chosen, fx, fy)
    assert np.isnan(p["test"]).all(1).tolist() == np.isnan(fx["test"]).any(1).tolist()
    a, b = both(p["test"], q["test"])
    naive = fit_cca(*both(fx["train"], fy["train"]), ridge=1e-6)
    c, d = naive.project(*both(fx["test"], fy["test"]))
    own = np.arange(len(a))
    ours, theirs = (retrieve(by_cosine(*pair), own).recall[1] for pair in ((a, b), (c, d)))
    assert ours > 2 * theirs


# ---------------------------------------------------------------- probes


def test_balanced_accuracy_of_one_class_for_all_is_even_chance():
    y = np.repeat([0, 1, 2], [80, 15, 5])
    rng = np.random.default_rng(0)
    x = {s: rng.normal(size=(100, 2)) for s in SPLITS}
    labels = dict.fromkeys(SPLITS, y)
    plain, _ = probes.probe(x, labels, "accuracy", "all")
    fair, error = probes.probe(x, labels, "balanced_accuracy", "all")
    assert plain == pytest.approx(0.8, abs=0.05)  # by naming the commonest class
    assert abs(fair - 1 / 3) < 4 * error
    assert probes.majority("accuracy", y, y) == 0.8
    assert probes.majority("balanced_accuracy", y, y) == pytest.approx(1 / 3)
    assert probes.unbalanced(y)
    assert not probes.unbalanced(np.repeat([0, 1, 2], [40, 35, 25]))
    assert probes.unbalanced(np.repeat([0, 1], [70, 30]))


def test_weighted_classes_find_the_rare_one():
    rng = np.random.default_rng(0)
    y = {s: (rng.random(2000) < 0.03).astype(int) for s in SPLITS}
    x = {s: rng.normal(size=(2000, 1)) + 1.5 * y[s][:, None] for s in SPLITS}
    fair, error = probes.probe(x, y, "balanced_accuracy", "all")
    ideal = 0.5 * (1 + math.erf(0.75 / math.sqrt(2)))
    assert abs(fair - ideal) < 4 * error
    assert 0.01 < error < 0.05


@pytest.mark.parametrize("metric", probes.METRICS)
@pytest.mark.parametrize("used", ["all", 10])
def test_a_class_that_training_lacks_is_wrong_and_one_that_the_test_lacks_is_no_harm(metric, used):
    y = {"train": np.repeat([0, 1, 3], 60), "validation": np.repeat([0, 1], 20)}
    y["test"] = np.repeat([0, 1, 2], 30)
    x = {
        s: 5 * np.eye(4)[c] + np.random.default_rng(0).normal(size=(len(c), 4))
        for s, c in y.items()
    }
    accuracy, _ = probes.probe(x, y, metric, used)
    assert accuracy == pytest.approx(2 / 3, abs=0.05)


# ---------------------------------------------------------------- fixed features


def test_a_spectrum_tells_pitch_and_not_how_long_the_padding_is():
    time = torch.arange(16000) / 16000
    low, high = (torch.sin(2 * math.pi * f * time) for f in (200.0, 3000.0))
    found = fixed.spectrum(torch.stack([low, high]))
    assert found[0, :40].argmax() < found[1, :40].argmax()
    padded = torch.cat([low, torch.zeros(16000)])
    assert torch.allclose(fixed.spectrum(padded[None])[0, :40], found[0, :40], atol=0.5)
    assert fixed.spectrum(torch.zeros(1, 100)).isfinite().all()


def test_letters_are_alike_for_texts_that_are_alike():
    z = fixed.letters(["a red house", "the red houses", "zwölf Boxkämpfer", ""])
    assert np.allclose(np.linalg.norm(z[:3], axis=1), 1)
    scores = cosine(z, z)
    assert scores[0, 1] > 0.4 > 0.1 > scores[0, 2]
    assert np.isfinite(scores).all()


def test_letters_counted_word_by_word_are_those_counted_text_by_text():
    texts = ["A frog,  and a\tFROG.", "x y xy", "banana", "", "añejo 日本語 ǅ", " \n "] * 2
    twin = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=512, alternate_sign=False, norm="l1"
    ).transform(texts)
    assert np.allclose(fixed.letters(texts, 512), np.sqrt(twin.toarray()), atol=1e-7)
    assert fixed.letters(["", " "], 512).shape == (2, 512) and not fixed.letters(["", " "]).any()


def test_components_of_many_rows_are_those_of_some_of_them(monkeypatch):
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(3000, 4)) @ draw.normal(size=(4, 20)) + draw.normal(size=20)
    features = {"train": rows.astype("f4"), "test": rows[:50].astype("f4")}
    whole = fixed.reduced(features, 4)["test"]
    monkeypatch.setattr(fixed, "FITTED", 500)
    some = fixed.reduced(features, 4)["test"]
    apart = [z[:, None] - z[None] for z in (whole, some)]
    lengths = [np.linalg.norm(z, axis=-1) for z in apart]
    assert not np.array_equal(whole, some)
    assert np.allclose(*lengths, rtol=1e-3, atol=1e-3)


# ---------------------------------------------------------------- a run with everything

WORDS = ("red square", "green circle", "blue star", "big moon", "small tree", "old house")


class Letters(nn.Module):
    """A toy that reads: counts of bytes, one linear layer."""

    def __init__(self, *, dim: int = 8) -> None:
        super().__init__()
        self.map = nn.Linear(255, dim)

    def forward(self, value):
        return self.map(nn.functional.one_hot(value.long(), 256)[..., 1:].float().sum(1))


@pytest.fixture(autouse=True, scope="module")
def letters():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(building.ENCODERS, "letters", Letters)
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """600 contexts: a vector and a text of one of six kinds, some cells missing; a third signal."""
    rng = np.random.default_rng(0)
    n = 600
    kind = rng.integers(0, 6, n)
    x = 3 * np.eye(6)[kind] + rng.normal(size=(n, 6))
    frame = pd.DataFrame({f"x{i}": x[:, i] for i in range(6)})
    frame["words"] = [f"{WORDS[k]} {'!' * int(rng.integers(0, 3))}" for k in kind]
    noisy = x[:, :4] + 0.3 * rng.normal(size=(n, 4))
    for i in range(4):
        frame[f"b_{i}"] = noisy[:, i]
    frame["kind"] = [WORDS[k] for k in kind]
    frame["colour"] = np.where(rng.random(n) < 0.85, "plain", "odd")
    frame.loc[::9, "kind"] = None
    frame.loc[1::8, "words"] = None
    frame.loc[3::8, [f"b_{i}" for i in range(4)]] = None
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path


def tree_of(table, **evaluate):
    return {
        "data": {
            "source": "csv",
            "path": str(table),
            "label": ["kind", "colour"],
            "signals": {
                "x": {"kind": "vector", "column": "x*"},
                "w": {"kind": "vector", "column": "b_*"},
                "words": {"kind": "text"},
            },
        },
        "encoders": {
            "f": {"kind": "mlp", "hidden": [32], "dim": 8},
            "g": {"kind": "mlp", "hidden": [32], "dim": 8},
            "h": {"kind": "letters"},
        },
        "views": {
            "x": {"signal": "x"},
            "seen_x": {"of": "x", "augment": {"kind": "noise", "std": 2.0}},
            "w": {"signal": "w"},
            "words": {"signal": "words"},
            "z_seen": {"of": "seen_x", "encode": "f"},
            "z_again": {"of": "seen_x", "encode": "f", "at": "stage1"},
            "z_x": {"of": "x", "encode": "f"},
            "z_w": {"of": "w", "encode": "g"},
            "z_words": {"of": "words", "encode": "h"},
        },
        "maximize": [
            {"between": ["z_words", "z_seen"], "critic": {"kind": "cosine", "dim": 8}},
            {"between": ["z_seen", "z_w"], "critic": {"kind": "separable", "dim": 8}},
        ],
        "train": {"epochs": 8, "batch": 64, "lr": 3e-3},
        "evaluate": {"view": "z_x", "profile": False, **evaluate},
    }


ASKED = {
    "view": ["z_x", "z_words"],
    "label": ["kind", "colour"],
    "right": "kind",
    "zero_shot": {
        "view": "z_x",
        "text": "z_words",
        "label": "kind",
        "prompts": {"big moon": "big moon !"},
    },
}


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "all"
    results = runs.train(recipe.check(tree_of(table, **ASKED), "here"), folder)
    return folder, results


def test_every_view_is_probed_for_every_label_beside_its_baselines(run):
    _, results = run
    found = {(p.view, p.label, p.metric, p.labels_used): p for p in results.probes}
    for view in ("z_x", "z_words"):
        kinds = {key[2] for key in found if key[:2] == (view, "kind")}
        odd = {key[2] for key in found if key[:2] == (view, "colour")}
        assert kinds == {"accuracy", "knn_accuracy"}
        assert odd == {"accuracy", "knn_accuracy", "balanced_accuracy"}
    good = found["z_x", "kind", "accuracy", "all"]
    assert min(good.learned, good.raw, good.cca) > 0.75 > 0.3 > good.majority
    assert math.isnan(good.pca)  # six numbers are not reduced to eight
    assert any("contexts have no kind" in note for note in good.notes)
    assert good.contexts < 120
    nothing = found["z_x", "colour", "balanced_accuracy", "all"]
    assert nothing.majority == 0.5
    assert abs(nothing.learned - 0.5) < 0.2
    read = found["z_words", "kind", "accuracy", "all"]
    assert read.raw > 0.95
    assert any("letters" in note for note in read.notes)


def test_views_of_every_edge_are_looked_for_both_ways_among_those_that_have_both(run, table):
    _, results = run
    learned = {(r.source, r.target): r for r in results.retrieval if r.baseline is None}
    linear = {(r.source, r.target): r for r in results.retrieval if r.baseline == "cca"}
    ways = {("z_words", "z_seen"), ("z_seen", "z_words"), ("z_seen", "z_w"), ("z_w", "z_seen")}
    assert set(learned) == set(linear) == ways
    contexts = data.load(recipe.check(tree_of(table), "here").data)
    rows = contexts.rows("test")
    have = {name: column.present[rows].sum() for name, column in contexts.signals.items()}
    assert learned["z_words", "z_seen"].contexts == have["words"] < have["x"] == len(rows)
    assert learned["z_seen", "z_w"].contexts == have["w"]
    for record in learned.values():
        assert record.right == "kind"
        assert record.candidates == record.contexts
        assert record.recall[1] > 0.35 > 0.25 > record.chance[1] > 1 / 120
        assert record.interval[1][0] < record.recall[1] < record.interval[1][1]
        assert record.median_rank < record.chance_rank
    assert {r.scored_by for r in learned.values()} == {"cosine", "separable"}


def test_classes_are_told_by_names_that_no_training_label_taught(run):
    _, results = run
    (told,) = results.zero_shot
    assert told.accuracy > 0.6 > 0.3 > told.majority
    assert told.chance == pytest.approx(1 / 6)
    assert told.prompts["big moon"] == "big moon !" and told.prompts["blue star"] == "blue star"
    assert abs(told.balanced - told.accuracy) < 0.15


def test_what_was_found_survives_its_file(run):
    folder, results = run
    from infomax.records import read_results

    again = read_results(folder / "results.json")
    assert len(again.retrieval) == 8
    assert [r.interval for r in again.retrieval] == [
        {k: tuple(v) for k, v in r.interval.items()} for r in results.retrieval
    ]
    assert again.retrieval[0] == results.retrieval[0]
    assert again.zero_shot == results.zero_shot
    kept = json.loads((folder / "results.json").read_text())
    assert {"from", "to", "recall@1", "chance@1", "interval@1"} <= set(kept["retrieval"][0])
    assert kept["map"] == []


def test_some_answers_can_be_looked_at(run):
    folder, _ = run
    shown = json.loads((folder / "neighbours.json").read_text())
    assert [(s["from"], s["to"]) for s in shown][:2] == [
        ("z_words", "z_seen"),
        ("z_seen", "z_words"),
    ]
    rows = shown[1]["queries"]
    assert len(rows) == neighbours.QUERIES
    answers = [answer for row in rows for answer in row["answers"]]
    assert len(answers) == neighbours.QUERIES * neighbours.ANSWERS
    for row in rows:
        for answer in row["answers"]:
            named = answer["label"] and answer["label"] == row["query"]["label"]
            assert answer["right"] == (bool(named) or answer["row"] == row["query"]["row"])
            assert answer["text"].rstrip(" !") in WORDS
    assert sum(a["right"] for a in answers) > len(answers) / 4
    page = (folder / "report.html").read_text()
    for words in ("linear CCA", "right: the same kind", "Classes told by their names", WORDS[0]):
        assert words in page


def test_a_search_is_judged_without_augmentation_and_with_it_where_it_must_stay(table):
    tree = tree_of(table)
    tree["views"]["half"] = {"of": "seen_x", "columns": [0, 3]}
    tree["views"]["z_half"] = {"of": "half", "encode": "f"}
    chosen = recipe.check(tree_of(table), "here")
    study = building.build(chosen)
    contexts = data.load(chosen.data)
    engine.set_up(Model(study.objective, dict(study.encoders)), study, contexts, chosen.train)
    batch = searching.some(contexts)
    calm = searching.still(study.views["z_seen"], batch)
    assert searching.bare(calm) == searching.bare(study.views["z_x"])
    assert searching.bare(calm) != searching.bare(study.views["z_seen"])
    for name in ("z_x", "x", "z_words"):
        assert searching.still(study.views[name], batch) is study.views[name]

    class Firm(nn.Module):
        """Wants the three numbers that the random step leaves."""

        def forward(self, value):
            if value.shape[1] != 3:
                raise RuntimeError("three, please")
            return value

    cut = study.views["x"].augment(lambda v: v[:, torch.randperm(6)[:3]])
    firm = cut.encode(Firm())
    assert searching.still(firm, batch) is firm


def test_only_edges_between_different_things_are_looked_for(table):
    def found(edges, **evaluate):
        tree = tree_of(table, **evaluate) | {"maximize": edges}
        chosen = recipe.check(tree, "here")
        study, contexts = building.build(chosen), data.load(chosen.data)
        model = Model(study.objective, dict(study.encoders))
        engine.set_up(model, study, contexts, chosen.train)
        return [pair.names for pair in searching.pairs(chosen, study, contexts)]

    two = {"between": ["z_seen", "z_again"]}
    words = {"between": ["z_words", "z_x"]}
    assert found([two, words]) == [("z_words", "z_x")]
    assert found([words, words]) == [("z_words", "z_x")]
    assert found([words], retrieval=[]) == []
    # by the names of what the ends are made of, in the order of the edge
    assert found([words], retrieval=[["x", "words"]]) == [("words", "x")]
    # no edge joins them, but both have eight numbers
    assert found([words], retrieval=[["z_x", "z_words"]]) == [("z_words", "z_x")]
    with pytest.raises(InfomaxError, match=r"evaluate\.retrieval"):
        found([words], retrieval=[["x", "w"]])


def test_looking_back_takes_off_what_is_a_candidates_own():
    """f(x, y) + c(x) is as good a critic of InfoNCE; only the search for x by y would see c."""

    class Biased(nn.Module):
        def forward(self, x, y):
            return -2 * ((x[:, None] - y[None]) ** 2).sum(-1) + 30 * x[:, :1]

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y, seen = (x + 0.5 * rng.normal(size=(300, 4)) for _ in range(2))
    y, seen = y.astype(np.float32), rng.permutation(seen).astype(np.float32)

    a, b = Context().signal("a"), Context().signal("b")
    edge = Edge((a, b), bounds.InfoNCE, Biased())
    pair = searching.Pair(("a", "b"), a, b, edge)
    own = np.arange(300)
    there = retrieve(searching.score(pair, x, y, seen), own).recall[1]
    back = retrieve(searching.score(pair, x, y, seen, back=True), own).recall[1]
    bare = searching.scored(edge.critic, x, y).T
    naive = retrieve(lambda q, c: bare[np.ix_(q, c)], own).recall[1]
    assert there > 0.15
    assert back > 0.8 * there
    assert naive < 0.3 * there


def test_the_map_of_nats_is_of_held_out_contexts_before_and_after(table, tmp_path):
    tree = tree_of(table, map=True, retrieval=[])
    tree["train"]["epochs"] = 2
    results = runs.train(recipe.check(tree, "here"), tmp_path / "run")
    stages = {(c.stage, c.between) for c in results.map}
    assert ("before", ("words", "x")) in stages
    assert ("after", ("z_words", "z_seen")) in stages
    assert len(stages) == 6
    strong = next(c for c in results.map if (c.stage, c.between) == ("before", ("x", "w")))
    assert strong.interval[0] <= strong.nats <= strong.interval[1]
    assert strong.nats > 2  # four numbers seen with a tenth of their variance as noise
    assert strong.dims == (6, 4)
    assert results.retrieval == []
    assert not (tmp_path / "run" / "neighbours.json").exists()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "before training: the signals" in page and 'class="heat"' in page


@pytest.mark.parametrize(
    ("evaluate", "said"),
    [
        ({"label": ["kind", "nothing"]}, "nothing"),
        ({"right": "nothing"}, "evaluate.right"),
        ({"view": ["z_x", "nothing"]}, "nothing"),
        ({"retrieval": [["z_x", "nothing"]]}, "nothing"),
        ({"retrieval": [["words", "w"]]}, "evaluate.retrieval"),
        ({"zero_shot": {"view": "z_x", "text": "z_w", "label": "kind"}}, "a view of a text"),
        ({"zero_shot": {"view": "z_x", "text": "z_words", "label": "no"}}, "zero_shot.label"),
        ({"view": []}, "evaluate"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_training(table, tmp_path, evaluate, said):
    with pytest.raises(InfomaxError) as raised:
        runs.train(recipe.check(tree_of(table, **evaluate), "here"), tmp_path / "run")
    assert said in str(raised.value)
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- zero-shot


def test_ties_between_classes_are_shared():
    same = zero_shot.chances(np.zeros((10, 4)))
    assert (same == 0.25).all()
    assert probes.balanced(same[:, 0], np.zeros(10, int)) == 0.25


# ---------------------------------------------------------------- neighbours


def test_media_are_data_of_their_kind_within_the_budget():
    rng = np.random.default_rng(0)
    wave = np.concatenate([rng.normal(size=8000), np.zeros(16000)]).astype(np.float32) / 10
    sound = neighbours._mp3(wave, 16000)
    assert sound.startswith("data:audio/mpeg;base64,") and len(sound) < 20_000
    assert neighbours._mp3(wave, 12345).startswith("data:audio/wav;base64,")
    for channels in (1, 2, 3):
        picture = neighbours._png(rng.random((channels, 90, 60)))
        assert picture.startswith("data:image/png;base64,")


def test_groups_of_contexts_without_a_label_are_their_own(table):
    contexts = data.load(recipe.check(tree_of(table), "here").data)
    groups = searches.groups_of(contexts, "kind")
    named = contexts.labelled("kind")[contexts.rows("test")]
    assert len(np.unique(groups[named])) == 6
    assert len(np.unique(groups[~named])) == (~named).sum()
    assert not set(groups[named]) & set(groups[~named])
    assert len(np.unique(searches.groups_of(contexts, None))) == contexts.count("test")
    assert (probing.classes(contexts, "kind")["test"] == -1).sum() == (~named).sum()


def test_evaluation_on_a_view_with_positions_says_that_their_mean_is_probed(tmp_path):
    tree = {
        "data": {"source": "digits", "limit": 400},
        "encoders": {"conv": {"kind": "convnet", "width": 8, "stages": 2}},
        "views": {
            "picture": {"signal": "picture"},
            "map": {"of": "picture", "encode": "conv", "at": "stage1"},
            "z": {"of": "picture", "encode": "conv"},
        },
        "maximize": [{"between": ["map", "z"], "critic": {"kind": "separable", "dim": 8}}],
        "train": {"epochs": 1, "batch": 64},
        "evaluate": {"view": "map"},
    }
    results = runs.train(recipe.check(tree, "here"), tmp_path / "run")
    assert results.retrieval == []
    probe = results.probes[0]
    assert any("mean is probed" in note for note in probe.notes)
    assert evaluation.embed is not None
    assert math.isfinite(probe.pca) and math.isnan(probe.cca)


def test_cca_of_fewer_rows_than_columns_is_that_of_all_columns():
    """Directions that no row has take no part: the thin form equals whitening by all of S."""
    draw = np.random.default_rng(0)
    latent = draw.normal(size=(40, 4))
    x, y = (latent @ draw.normal(size=(4, d)) + draw.normal(size=(40, d)) for d in (90, 60))
    cca = fit_cca(x, y, ridge=0.1)
    whole = []
    for side in (x, y):
        z = (side - side.mean(0)) / side.std(0)
        values, vectors = np.linalg.eigh(0.9 * z.T @ z / 40 + 0.1 * np.eye(z.shape[1]))
        whole.append(z @ (vectors / np.sqrt(values)) @ vectors.T)
    twin = np.linalg.svd(0.9 * whole[0].T @ whole[1] / 40, compute_uv=False)
    np.testing.assert_allclose(cca.correlations[:30], twin[:30], atol=1e-8)
    p, q = cca.project(x, y)
    np.testing.assert_allclose(p @ q.T, whole[0] @ (0.9 * whole[0].T @ whole[1] / 40) @ whole[1].T,
                               atol=1e-6)  # fmt: skip
