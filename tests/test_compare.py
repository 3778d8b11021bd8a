"""Runs side by side: a lead beyond error is marked and no other, unfair matches are said."""

import html
import json
import math

import pytest
import yaml

from browser import browse, needs_browser
from infomax import comparison
from infomax._errors import InfomaxError
from infomax.cli import main
from infomax.comparison import curve
from infomax.records import Held, Probe, Profile, Results, Term, write_json_atomic
from test_report import make


def run(
    folder,
    nats=2.0,
    accuracy=0.8,
    stderr=0.01,
    side="lower",
    bound="infonce",
    data="d1",
    recipe=None,
    **changes,
):
    folder.mkdir(parents=True)
    recipe = recipe or {"name": "r", "views": {"a": {"signal": "x"}}, "train": {"epochs": 5}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    term = Term(between=("a", "b"), bound=bound, side=side, nats=nats, stderr=0.05, contexts=100)
    probe = Probe(
        view="a", label="kind", metric="accuracy", learned=accuracy, stderr=stderr, raw=0.5
    )
    held = [
        Held(view="a", stage=stage, factor="kind", kind="label", nats=n, entropy=2.3, classes=10)
        for stage, n in (("raw", 0.4), ("output", 1.5))
    ]
    known = {
        "terms": [term],
        "probes": [probe],
        "profile": Profile(held=held),
        "data": {"fingerprint": data, "contexts": {"test": 100}},
    }
    write_json_atomic(folder / "results.json", Results(**known | changes).to_json())
    return folder


def rows(*folders):
    return {row.name: row for row in comparison.compare(folders).rows}


def test_a_lead_beyond_error_is_marked_and_a_tie_is_not(tmp_path):
    a, b = run(tmp_path / "a", accuracy=0.80), run(tmp_path / "b", accuracy=0.84)
    name = "kind, linear probe, all labels"
    assert rows(a, b)[name].best == 1  # 0.04 > 2 * sqrt(2) * 0.01
    c = run(tmp_path / "c", accuracy=0.82)
    assert rows(a, c)[name].best is None  # 0.02 is within it
    assert rows(a, c)["a ↔ b"].best is None
    d = run(tmp_path / "d", nats=9.0)
    assert rows(a, d)["a ↔ b"].best is None  # more nats are not better
    assert [cell.text for cell in rows(a, d)["a ↔ b"].cells] == [
        "≥ 2.00 ± 0.05",
        "≥ 9.00 ± 0.05",
    ]


def test_no_lead_is_marked_between_runs_on_other_data(tmp_path):
    a = run(tmp_path / "a", accuracy=0.5)
    apart = comparison.compare([a, run(tmp_path / "b", accuracy=0.9, data="d2")])
    same = comparison.compare([a, run(tmp_path / "c", accuracy=0.9)])
    assert "c leads in kind" in same.headline
    assert "no lead" in apart.headline
    assert [row.best for row in apart.rows if row.best is not None] == []
    assert len(same.points) == 2
    assert not apart.points


def test_the_profile_is_that_of_the_output(tmp_path):
    found = rows(run(tmp_path / "a"), run(tmp_path / "b"))
    assert [cell.value for cell in found["kind (label)"].cells] == [1.5, 1.5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "d2"}, "not judged on the same contexts"),
        ({"side": "upper"}, "says nothing about which is larger"),
        ({"environment": {"infomax": "9"}}, "Different versions"),
        ({"status": "failed", "terms": [], "probes": []}, "is failed"),
    ],
)
def test_what_is_not_fair_is_said_and_nothing_else(tmp_path, change, said):
    a = run(tmp_path / "a")
    assert comparison.compare([a, run(tmp_path / "b")]).warnings == []
    found = comparison.compare([a, run(tmp_path / "c", **change)]).warnings
    assert len(found) == 1
    assert said in found[0]


def test_only_what_differs_in_the_recipes_is_shown_and_a_missing_part_is_one_key(tmp_path):
    other = {"name": "r", "views": {"a": {"signal": "x"}, "b": {"of": "a", "half": "top"}}}
    a, b = run(tmp_path / "a"), run(tmp_path / "b", recipe={**other, "train": {"epochs": 9}})
    found = comparison.compare([a, b]).differences
    assert [(d.key, d.values) for d in found] == [
        ("views.b", ("–", "{of: a, half: top}")),
        ("train.epochs", ("5", "9")),
    ]


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((0.5, 0.8, 0.6), "neither where"),
        ((0.5, 0.6, 0.8), "to share most;"),
        ((0.8, 0.6, 0.5), "to share least;"),
        ((0.8, 0.6, 0.8), "little and much"),
        ((0.8, 0.801, 0.8), "no more than their errors"),
    ],
)
def test_the_curve_of_nats_and_probes_says_what_it_shows(tmp_path, accuracies, said):
    folders = [
        run(tmp_path / str(i), nats=3.0 - i, accuracy=a) for i, a in enumerate(accuracies[::-1])
    ]
    found = comparison.compare(folders)
    assert [point.nats.value for point in found.points] == [1.0, 2.0, 3.0]
    assert said in found.finding


@pytest.mark.parametrize("change", [{"side": "upper", "bound": "rate"}, {"bound": "js"}])
def test_values_of_two_bounds_make_no_curve(tmp_path, change):
    found = comparison.compare([run(tmp_path / "a"), run(tmp_path / "b", **change)])
    assert not found.points
    assert found.finding == ""


def test_every_edge_of_every_run_has_a_row_and_none_hides_another(tmp_path):
    def edges(*kinds):
        shared = {"side": "lower", "stderr": 0.1, "contexts": 9}
        return [
            Term(between=ends, bound=bound, nats=nats, positions=ahead, **shared)
            for ends, bound, nats, ahead in kinds
        ]

    one = edges((("a", "b"), "infonce", 1.0, "all"))
    more = edges(
        (("a", "b"), "infonce", 2.0, "all"),
        (("a", "b"), "nwj", 3.0, "all"),
        (("a", "c"), "infonce", 4.0, 2),
        (("a", "c"), "infonce", 5.0, 4),
    )
    found = comparison.compare([run(tmp_path / "x", terms=one), run(tmp_path / "y", terms=more)])
    nats = [row for row in found.rows if row.group == "Nats, held out"]
    assert [[cell and cell.value for cell in row.cells] for row in nats] == [
        [1.0, 2.0], [None, 3.0], [None, 4.0], [None, 5.0]
    ]  # fmt: skip
    assert [row.name for row in nats][2:] == ["a ↔ c, 2 ahead", "a ↔ c, 4 ahead"]


def test_main_edges_that_differ_stand_side_by_side(tmp_path):
    other = Term(between=("c", "d"), bound="js", side="lower", nats=1.0, contexts=9)
    found = comparison.compare([run(tmp_path / "a"), run(tmp_path / "b", terms=[other])])
    first = found.rows[0]
    assert first.name == "main edge"
    assert [cell.value for cell in first.cells] == [2.0, 1.0]
    assert first.cells[1].below.startswith("c ↔ d: js")


def test_every_point_is_drawn_where_it_belongs(tmp_path):
    folders = [run(tmp_path / f"r{i}", nats=i, accuracy=0.5 + 0.1 * i) for i in range(3)]
    drawing = str(curve.draw(comparison.compare(folders).points))
    places = [
        (float(part.split('cx="')[1].split('"')[0]), float(part.split('cy="')[1].split('"')[0]))
        for part in drawing.split("<circle")[1:]
    ]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert math.isclose(x2 - x1, x1 - x0, abs_tol=0.02)
    assert math.isclose(y2 - y1, y1 - y0, abs_tol=0.02)
    assert x0 < x2
    assert y0 > y2  # downwards


def test_names_are_unique_and_one_run_twice_is_one(tmp_path):
    a, b = run(tmp_path / "one" / "x"), run(tmp_path / "two" / "x")
    assert [r.name for r in comparison.compare([a, b]).runs] == ["one/x", "two/x"]
    with pytest.raises(InfomaxError, match="two or more"):
        comparison.compare([a, a])


def test_the_command_prints_a_table_json_or_a_page(tmp_path, monkeypatch, capsys):
    evil = "<img src=x>"
    a, b = run(tmp_path / "a", accuracy=0.7), run(tmp_path / "b", recipe={"name": evil})
    page = tmp_path / "page.html"
    monkeypatch.setattr("sys.argv", ["infomax", "compare", str(a), str(b), "--out", str(page)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "kind, linear" in capsys.readouterr().out
    source = page.read_text()
    assert evil not in source
    assert html.escape(evil) in source
    monkeypatch.setattr("sys.argv", ["infomax", "compare", str(a), str(b), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    found = json.loads(capsys.readouterr().out)
    assert [r["name"] for r in found["runs"]] == ["a", "b"]
    assert any(row["best"] == 1 for row in found["rows"])


@pytest.mark.parametrize("wrong", ["alone", "nowhere", "damaged", "picture", "folder"])
def test_bad_input_is_one_message_and_exit_2(tmp_path, monkeypatch, capsys, wrong):
    a, b = run(tmp_path / "a"), run(tmp_path / "b")
    (b / "results.json").write_text("{" if wrong == "damaged" else (b / "results.json").read_text())
    (tmp_path / "x.html").mkdir()
    asked = {
        "alone": [str(a)],
        "nowhere": [str(a), str(tmp_path / "no")],
        "damaged": [str(a), str(b)],
        "picture": [str(a), str(b), "--out", str(tmp_path / "x.png")],
        "folder": [str(a), str(b), "--out", str(tmp_path / "x.html")],
    }[wrong]
    monkeypatch.setattr("sys.argv", ["infomax", "compare", *asked])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "wanted" in said
    assert ("FILE.html" in said) == (wrong in ("picture", "folder"))


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_chromium_the_page_fits_and_asks_for_nothing(tmp_path, width):
    folders = [make(tmp_path / name) for name in ("one", "two", "three")]
    page = tmp_path / "page.html"
    comparison.write(comparison.compare(folders), page)
    source = page.read_text()
    assert "http" not in source.replace("http-equiv", "").replace("http://www.w3.org", "")
    probe = (
        "<script>addEventListener('load', () => document.documentElement.dataset.over = "
        "document.documentElement.scrollWidth - innerWidth)</script></body>"
    )
    probed = tmp_path / "probed.html"
    allowed = source.replace("style-src", "script-src 'unsafe-inline'; style-src")
    probed.write_text(allowed.replace("</body>", probe))
    dom, console = browse(probed, tmp_path / "home", f"--window-size={width},900", "--dump-dom")
    assert not console
    assert int(dom.split('data-over="')[1].split('"')[0]) <= 0
