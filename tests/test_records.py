"""Records cross rooms as JSON: nothing is lost, nothing bare is NaN, damage is named."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infomax import InfomaxError
from infomax.records import (
    Metric,
    MetricTerm,
    Probe,
    Representation,
    Results,
    Retrieval,
    Term,
    append_metric,
    dumps,
    read_metrics,
    read_results,
    write_json_atomic,
)

# Exactly the example of the design's section 5, as a file would hold it.
DESIGN = """
{"terms":  [{"between": ["global","local"], "bound": "js", "side": "lower", "nats": 2.91,
             "stderr": 0.02, "ceiling": 6.24, "contexts": 10000, "split": "test",
             "control_nats": 0.00, "verdict": "ok"}],
 "probes": [{"view": "global", "label": "label", "metric": "accuracy", "labels_used": "all",
             "raw": 0.84, "untrained": 0.80, "learned": 0.90}],
 "retrieval": [{"from": "picture", "to": "words", "candidates": 1000, "recall@1": 0.31,
                "recall@10": 0.7, "chance@1": 0.001}],
 "representation": {"effective_rank": 61.2, "dimension": 128},
 "environment": {"torch": "2.13.0"}, "seconds": 93.1}
"""


def term(**changes):
    known = {"between": ("a", "b"), "bound": "js", "side": "lower", "nats": 1.5, "contexts": 9}
    return Term(**(known | changes))


def test_the_design_example_is_read_and_written_with_its_own_keys():
    given_ = json.loads(DESIGN)
    results = Results.from_json(given_)
    assert results.terms[0].between == ("global", "local")
    assert results.retrieval[0] == Retrieval(
        source="picture",
        target="words",
        candidates=1000,
        recall={1: 0.31, 10: 0.7},
        chance={1: 0.001},
    )
    assert results.representation == Representation(effective_rank=61.2, dimension=128)
    written = json.loads(dumps(results.to_json()))
    for key, value in given_.items():
        if key in ("terms", "probes", "retrieval"):
            assert value[0].items() <= written[key][0].items()
        elif key == "representation":
            assert value.items() <= written[key].items()
        else:
            assert written[key] == value


numbers = st.one_of(st.floats(width=32), st.just(math.nan), st.just(-math.inf))


@given(nats=numbers, stderr=numbers, ceiling=st.none() | st.floats(0, 20), used=st.integers(1, 50))
def test_a_round_trip_loses_nothing_and_json_is_strict(nats, stderr, ceiling, used):
    results = Results(
        terms=[term(nats=np.float64(nats), stderr=stderr, ceiling=ceiling, positions=3)],
        probes=[Probe(view="a", label="l", metric="accuracy", labels_used=used, learned=0.5)],
        data={"contexts": {"train": np.int64(7)}, "skipped": ("x",)},
    )
    text = dumps(results.to_json())

    def refuse(word):
        raise AssertionError(f"bare {word} in JSON")

    again = Results.from_json(json.loads(text, parse_constant=refuse))
    back = again.terms[0]
    assert back.nats == nats if math.isfinite(nats) else math.isnan(back.nats)
    assert back.stderr == stderr if math.isfinite(stderr) else math.isnan(back.stderr)
    assert (back.ceiling, back.positions, again.probes[0].labels_used) == (ceiling, 3, used)
    assert again.data == {"contexts": {"train": 7}, "skipped": ["x"]}
    assert dumps(again.to_json()) == text


def test_keys_of_a_newer_version_are_ignored():
    data = json.loads(DESIGN) | {"tomorrow": 1}
    data["terms"][0]["also"] = 2
    assert Results.from_json(data).terms[0].nats == 2.91


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["terms"], 3, "terms"),
        (["terms", 0, "between"], ["a"], "terms[0]: between"),
        (["terms", 0, "side"], "upward", "terms[0]: side"),
        (["terms", 0, "nats"], "much", "terms[0]: nats"),
        (["terms", 0, "contexts"], 1.5, "terms[0]: contexts"),
        (["terms", 0, "verdict"], "fine", "terms[0]: verdict"),
        (["probes", 0, "learned"], True, "probes[0]: learned"),
        (["probes", 0, "labels_used"], "some", "probes[0]: labels_used"),
        (["retrieval", 0, "recall@1"], "x", "retrieval[0]: recall"),
        (["representation"], 4, "representation"),
        (["status"], "done", "status"),
        (["environment"], [], "environment"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(path, value, named):
    data = here = json.loads(DESIGN)
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    with pytest.raises(InfomaxError) as raised:
        Results.from_json(data)
    assert named in raised.value.wanted
    assert raised.value.fix


@pytest.mark.parametrize("key", ["between", "bound", "side", "nats", "contexts"])
def test_a_missing_key_is_an_error_that_names_it(key):
    data = json.loads(DESIGN)
    del data["terms"][0][key]
    with pytest.raises(InfomaxError, match=key):
        Results.from_json(data)


@pytest.mark.parametrize("text", ["", "{", '{"terms": [', "[]", "null", '"text"', "\x00\x01"])
def test_a_damaged_file_is_a_clear_error(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InfomaxError, match=r"results\.json"):
        read_results(tmp_path / "results.json")
    with pytest.raises(InfomaxError, match="no such file"):
        read_results(tmp_path / "nothing.json")


def test_writing_is_all_or_nothing(tmp_path):
    path = tmp_path / "results.json"
    write_json_atomic(path, {"seconds": 1.0})
    with pytest.raises(TypeError):
        write_json_atomic(path, {"seconds": object()})
    assert json.loads(path.read_text()) == {"seconds": 1.0}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_metrics_survive_half_a_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == ([], 0)
    edge = MetricTerm(between=("a", "b"), bound="nwj", side="lower", nats=math.nan)
    for step in (1, 2):
        append_metric(path, Metric(step=step, epoch=step / 2, split="train", terms=[edge]))
    with path.open("a") as file:
        file.write('{"step": 3, "epo\n')
    lines, damaged = read_metrics(path)
    assert ([line.step for line in lines], damaged) == ([1, 2], 1)
    assert lines[0].terms[0].between == ("a", "b")
    assert math.isnan(lines[0].terms[0].nats)
