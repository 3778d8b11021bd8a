import json
import shutil

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from infomax import recipe, runs
from infomax._errors import InfomaxError
from infomax.cli import app, main
from infomax.records import read_results
from problems import halves

TREE = halves(hidden=64, dim=16, epochs=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    runs.train(recipe.check(TREE, "here"), folder)
    return folder


def test_the_run_folder_holds_what_the_contract_says(run):
    assert {path.name for path in run.iterdir()} == {
        "recipe.yaml",
        "metrics.jsonl",
        "checkpoints",
        "model.safetensors",
        "results.json",
        "map.npz",
        "neighbours.json",
        "views.json",
        "report.html",
    }
    found = json.loads((run / "results.json").read_text())
    (term,) = found["terms"]
    assert term["between"] == ["z", "w"]
    assert term["split"] == "test" and term["side"] == "lower"
    assert 0 < term["nats"] < term["ceiling"] < np.log(200)
    assert term["stderr"] > 0
    assert abs(term["control_nats"]) < 0.1
    assert term["contexts"] >= 300
    probes = {(p["metric"], p["labels_used"]): p for p in found["probes"]}
    assert set(probes) == {(m, u) for m in ("accuracy", "knn_accuracy") for u in ("all", 10)}
    for probe in probes.values():
        assert all(0.1 < probe[side] <= 1 for side in ("raw", "untrained", "learned"))
    assert (
        1 < found["representation"]["effective_rank"] <= found["representation"]["dimension"] == 16
    )
    assert 0 < found["representation"]["alignment"] < 2  # the edge was learned
    assert -8 < found["representation"]["uniformity"] < 0
    assert found["environment"]["seed"] == 0
    assert found["seconds"] > 0


def test_evaluating_again_gives_the_same_numbers(run):
    before = read_results(run / "results.json")
    after = runs.evaluate(run)
    assert after.terms == before.terms
    assert after.probes == before.probes


def test_a_view_is_embedded_in_the_order_of_the_source(run, tmp_path):
    array, contexts = runs.embed(run, "digits", "z")
    assert array.shape == (len(contexts.rows("all")), 16)
    assert np.isfinite(array).all()
    again, _ = runs.embed(run, "digits", "z")
    assert np.array_equal(array, again)
    runs.write_array(array, contexts, tmp_path / "z.parquet")
    import pandas as pd

    frame = pd.read_parquet(tmp_path / "z.parquet")
    assert list(frame.columns[:2]) == ["row", "z0"]
    assert np.allclose(frame["z3"], array[:, 3])


def test_a_run_is_not_judged_on_another_split_of_its_data(run, tmp_path):
    """Rows that were trained on would count as held out."""
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    text = (copy / "recipe.yaml").read_text()
    (copy / "recipe.yaml").write_text(text.replace("  test: 0.2\n", "  test: 0.3\n"))
    assert (copy / "recipe.yaml").read_text() != text
    before = (copy / "results.json").read_bytes()
    with pytest.raises(InfomaxError, match="fingerprint"):
        runs.evaluate(copy)
    assert (copy / "results.json").read_bytes() == before


def test_a_damaged_state_is_said_and_the_one_before_it_gives_the_same_run(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    last = copy / "checkpoints" / "last.safetensors"
    damaged = last.read_bytes()[:-40]
    last.write_bytes(damaged)
    said = []
    before = json.loads((copy / "results.json").read_text())
    runs.train(recipe.check(TREE, "here"), copy, resume=True, note=said.append)
    assert len(said) == 1 and "last.safetensors is damaged" in said[0]
    assert last.with_name("last.safetensors.damaged").read_bytes() == damaged
    after = json.loads((copy / "results.json").read_text())
    assert after["terms"] == before["terms"] and after["probes"] == before["probes"]


def test_damaged_states_leave_the_results_of_a_finished_run(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for name in ("last", "previous"):
        state = copy / "checkpoints" / f"{name}.safetensors"
        state.write_bytes(state.read_bytes()[:-40])
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    with pytest.raises(InfomaxError, match="damaged"):
        runs.train(recipe.check(TREE, "here"), copy, resume=True)
    assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before


def test_where_only_the_page_fails_the_results_stay(tmp_path, monkeypatch):
    def full(run):
        raise OSError("no space left")

    monkeypatch.setattr(runs.running.report, "write", full)
    with pytest.raises(InfomaxError, match="no space left"):
        runs.train(recipe.check(halves(hidden=8, dim=4, epochs=1), "here"), tmp_path / "run")
    assert read_results(tmp_path / "run" / "results.json").status == "finished"


def test_embedding_needs_only_the_signal_of_its_view(run, tmp_path):
    """Two pictures, of no class, in no split."""
    from PIL import Image

    for index in range(2):
        Image.fromarray(np.full((8, 8), 100 * index, np.uint8)).save(tmp_path / f"{index}.png")
    array, _ = runs.embed(run, f"imagefolder:{tmp_path}", "z")
    assert array.shape == (2, 16)


def test_contexts_that_lack_a_signal_are_trained_and_valued_without(tmp_path):
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = x + 0.3 * rng.normal(size=(300, 4))
    y[np.arange(300) % 5 != 0] = np.nan
    columns = {f"x{i}": x[:, i] for i in range(4)} | {f"y{i}": y[:, i] for i in range(4)}
    frame = pd.DataFrame({"label": np.arange(300) % 2, **columns})
    frame.to_csv(tmp_path / "few.csv", index=False)
    signals = {name: {"kind": "vector", "column": f"{name}*"} for name in ("x", "y")}
    source = {"source": "csv", "path": str(tmp_path / "few.csv"), "label": "label"}
    tree = {
        "data": {**source, "signals": signals},
        "encoders": {"f": {"kind": "mlp", "dim": 4}, "g": {"kind": "mlp", "dim": 4}},
        "views": {
            "x": {"signal": "x"},
            "y": {"signal": "y"},
            "zx": {"of": "x", "encode": "f"},
            "zy": {"of": "y", "encode": "g"},
        },
        "maximize": [{"between": ["zx", "zy"]}],
        "train": {"epochs": 2, "batch": 16},
        "evaluate": {"view": "zx", "profile": False},
    }
    (term,) = runs.train(recipe.check(tree, "here"), tmp_path / "run").terms
    assert term.contexts < 25
    assert term.ceiling < np.log(16)
    # row i of an embedding is that of context i
    array, _ = runs.embed(tmp_path / "run", f"csv:{tmp_path / 'few.csv'}", "zy")
    assert array.shape == (300, 4)
    assert np.array_equal(np.isnan(array).all(1), np.isnan(y[:, 0]))


def test_a_run_is_not_overwritten_and_only_its_own_recipe_resumes_it(run):
    chosen = recipe.check(TREE, "here")
    before = (run / "results.json").read_bytes()
    with pytest.raises(InfomaxError, match="holds a run"):
        runs.train(chosen, run)
    other = chosen.model_copy(update={"train": recipe.TrainSpec(lr=1e-5)})
    with pytest.raises(InfomaxError, match="other train"):
        runs.train(other, run, resume=True)
    assert (run / "results.json").read_bytes() == before
    with pytest.raises(InfomaxError, match="holds none"):
        runs.train(chosen, run.parent / "nowhere", resume=True)


def test_no_augmentation_and_a_bilinear_critic_overfit_and_the_verdict_says_so(tmp_path):
    chosen = recipe.read(
        "mnist-halves",
        [
            "data.limit=700",
            "views.seen_top.augment={kind: noise, std: 0.0}",
            "views.seen_bottom.augment={kind: noise, std: 0.0}",
            "maximize.0.critic=bilinear",
            "encoders.eye={kind: mlp, hidden: [256], dim: 64}",
            "encoders.eye2={kind: mlp, hidden: [256], dim: 64}",
            "train={epochs: 60, batch: 128, lr: 1e-3, weight_decay: 0.0}",
            "evaluate.profile=false",
        ],
    )
    # the state of the last step is what a library without validation would report
    results = runs.train(chosen, tmp_path / "run")
    from infomax import building, checkpoint, data, engine, evaluation
    from infomax.objective import Model

    contexts = data.load(chosen.data)
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    last = checkpoint.load(tmp_path / "run" / "checkpoints" / "last.safetensors")
    checkpoint.unpack(last.tensors, model)
    (term,) = evaluation.value_terms(model, contexts, chosen.train.batch)
    assert term.verdict == "overfitted"
    assert term.train_nats > 2 * term.nats
    # the run itself kept the best state by validation, and reports the held-out value
    assert results.terms[0].nats > term.nats


HALVES = "maximize.0={between: [z_top, z_bottom], bound: barber_agakov}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "nonsense"], "mnist-halves"),
        (["train", "mnist-halves", "--set", "train.epoch=3"], "train.epoch"),
        (["train", "mnist-halves", "--data", "nonsense"], "mnist5k"),
        (["train", "mnist-halves", "--data", "fashion-mnist:nowhere"], "nowhere"),
        (["train", "mnist-halves", "--set", "train.batch=1"], "train.batch"),
        (["train", "mnist-halves", "--set", "train.epochs=[1"], "[1"),
        (["train", "mnist-halves", "--set", "maximize.0.bound={kind: smile, clip: abc}"], "clip"),
        (["train", "mnist-halves", "--set", HALVES], "posterior"),
        (["train", "mnist-halves", "--set", "maximize.0.critic={kind: separable, dim: 0}"], "dim"),
        (["train", "mnist-halves", "--set", "views.top.half={side: top, gap: 40}"], "gap of 40"),
        (["train", "mnist-halves", "--set", "views.picture={signal: sound}"], "sound"),
        (["evaluate", "nowhere"], "nowhere"),
        (["embed", "nowhere", "digits", "--view", "z", "--out", "z.npy"], "nowhere"),
        (["report", "nowhere"], "nowhere"),
        (["recipes", "show", "nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_message_exit_2_and_nothing_written(
    arguments, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["infomax", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    errors = capsys.readouterr().err
    assert stopped.value.code == 2
    assert said in errors and "wanted:" in errors and "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_an_embedding_of_an_unknown_view_or_format_is_refused(run, monkeypatch, capsys):
    for view, out in (("nonsense", "z.npy"), ("z", "z.txt")):
        arguments = ["embed", str(run), "digits", "--view", view, "--out", str(run.parent / out)]
        monkeypatch.setattr("sys.argv", ["infomax", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        assert not (run.parent / out).exists()


def test_recipes_are_listed_and_shown_as_yaml_ready_to_edit(tmp_path):
    listing = CliRunner().invoke(app, ["recipes"]).output
    for name in recipe.shipped():
        assert name in listing
    text = CliRunner().invoke(app, ["recipes", "show", "simclr"]).output
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert recipe.read(path).views == recipe.read("simclr").views


def test_settings_are_kept_in_the_recipe_of_the_run(run):
    assert yaml.safe_load((run / "recipe.yaml").read_text())["train"]["epochs"] == 3
    assert runs.of(run) == recipe.check(TREE, "here")
