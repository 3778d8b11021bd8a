"""A report is made from a run folder alone: everything is on it, nothing comes from elsewhere."""

import base64
import html
import io
import json
import math
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from browser import browse, needs_browser
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
    write_json_atomic,
)
from infomax.report import heat, write, write_figures
from infomax.report.atlas import sheet
from infomax.report.graph import ROOT, Node, lanes, nodes, places, spread
from infomax.report.specimen import Specimen, draw, wrapped
from infomax.report.words import headline, meaning, others, pair, probe_sentence

EVIL = "</script><img src=x onerror=document.title='evil'>"
RECIPE = {
    "name": "made-up",
    "paper": f"Nobody 2020 {EVIL}",
    "data": {
        "source": "csv",
        "signals": {"picture": {"kind": "picture"}, "voice": {"kind": "sound"}},
    },
    "views": {
        "picture": {"signal": "picture"},
        "top": {"of": "picture", "half": "top"},
        "z_top": {"of": "top", "encode": "eye"},
        "middle": {"of": "top", "encode": "eye", "at": "stage2"},
        "voice": {"signal": "voice"},
        "late": {"of": "voice", "window": {"second": 5.0, "length": 1.0}},
        "z_voice": {"of": "late", "encode": "ear"},
    },
    "maximize": [
        {"between": ["z_top", "z_voice"], "bound": "infonce"},
        {"between": ["middle", "z_voice"], "bound": "smile"},
    ],
    "minimize": [{"between": ["top", "z_top"], "bound": "rate"}],
    "evaluate": {"view": "z_top"},
}
ENDS = [("z_top", "z_voice"), ("middle", "z_voice"), ("top", "z_top")]


def results(**changes):
    shared = {"contexts": 1000, "train_nats": 4.44}
    first, second, third = ENDS
    known = {
        "recipe": "made-up",
        "paper": RECIPE["paper"],
        "verdict": "saturated",
        "terms": [
            Term(
                between=first,
                bound="infonce",
                side="lower",
                nats=2.913,
                stderr=0.0213,
                ceiling=6.24,
                control_nats=-0.5,
                verdict="saturated",
                why=f"because {EVIL}",
                **shared,
            ),
            Term(between=second, bound="smile", side="estimate", nats=1.017, stderr=0.4, **shared),
            Term(
                between=third,
                bound="rate",
                side="upper",
                nats=7.7,
                stderr=0.03,
                weight=-0.001,
                **shared,
            ),
        ],
        "probes": [
            Probe(
                view="z_top",
                label=f"label {EVIL}",
                metric=metric,
                labels_used=used,
                raw=0.614,
                untrained=0.523,
                learned=0.777,
            )
            for metric in ("accuracy", "knn_accuracy")
            for used in ("all", 10)
        ],
        "retrieval": [
            Retrieval(source="picture", target="voice", candidates=987, recall={1: 0.313})
        ],
        "representation": Representation(
            effective_rank=33.3, dimension=64, alignment=0.43, uniformity=-2.71
        ),
        "data": {
            "name": "made",
            "fingerprint": "f00d",
            "contexts": {"test": 1000},
            "skipped": [EVIL],
        },
        "environment": {"infomax": "0.1", "command": f"infomax train {EVIL}", "seed": 7},
    }
    return Results(**(known | changes))


def heard():
    """A tenth of a second of silence."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(800), 8000, format="WAV")
    return "data:audio/wav;base64," + base64.b64encode(stream.getvalue()).decode()


def seen():
    """A picture of two colours."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def looks():
    """What views.json holds, one view of each kind."""
    return {
        "row": 7,
        "views": {
            "picture": {"picture": seen(), "size": [8, 8]},
            "top": {"text": f"some words {EVIL}"},
            "voice": {"picture": seen(), "sound": heard()},
            "late": {"lines": [[0.1, 0.5, 1.0], [0.2, 0.2, 0.2]], "count": [3, 2]},
        },
    }


def make(run, *, recipe=True, metrics=True, atlas=True, pictures=True, points=60, **changes):
    run.mkdir(exist_ok=True)
    write_json_atomic(run / "views.json", looks())
    if recipe:
        (run / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    for epoch in range(6 if metrics else 0):
        for split in ("train", "validation"):
            terms = [
                MetricTerm(between=ends, bound=bound, side=side, nats=epoch / 2, ceiling=ceiling)
                for ends, bound, side, ceiling in zip(
                    ENDS,
                    ("infonce", "smile", "rate"),
                    ("lower", "estimate", "upper"),
                    (6.24, None, None),
                    strict=True,
                )
            ]
            append_metric(
                run / "metrics.jsonl", Metric(step=epoch, epoch=epoch, split=split, terms=terms)
            )
    if atlas:
        random = np.random.default_rng(0)
        held = {
            "points": random.normal(size=(points, 2)).astype(np.float32),
            "index": np.arange(points),
            "labels": np.array([f"{i % 3} {EVIL}" for i in range(points)]),
            "view": np.array("z_top"),
            "method": np.array("t-SNE"),
        }
        held["texts"] = np.array([f"words {i} {EVIL}" for i in range(points)])
        held["sounds"] = np.array([heard() if i % 2 else "" for i in range(points)], dtype="S")
        if pictures:
            held["pictures"] = random.integers(60, 256, (points, 8, 8, 3), dtype=np.uint8)
        np.savez(run / "map.npz", **held)
    if changes.get("status") != "none":
        write_json_atomic(run / "results.json", results(**changes).to_json())
    return run


def page(run):
    return write(run).read_text(encoding="utf-8")


def text(source):
    """The words a reader sees: no scripts, no styles, no tags."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", source, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", bare))).replace("\u00a0", " ")


class Tags(HTMLParser):
    """Every tag and attribute of a page, as a browser would see them."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_every_number_is_on_the_page_with_its_side(tmp_path):
    told = text(page(make(tmp_path / "run")))
    for amount in ("≥ 2.91 ± 0.02", "≈ 1.02 ± 0.40", "≤ 7.70 ± 0.03"):
        assert told.count(amount) >= 3  # both drawings and the table
    for word in (
        "6.24",
        "4.44",
        "−0.50",
        "lower bound",
        "upper bound",
        "estimate, not a bound",
        "saturated",
        "minimized",
        "77.7 %",
        "61.4 %",
        "52.3 %",
        "33.3",
        "of 64",
        "alignment 0.43",
        "uniformity −2.71",
        "31.3 %",
        "987 candidates",
        "f00d",
        "Nobody 2020",
        "10 labels a class",
    ):
        assert word in told, word
    assert "share at least 2.91" in told
    for ends in ENDS:
        assert all(end in told for end in ends)


def test_it_loads_nothing_and_is_small(tmp_path):
    source = page(make(tmp_path / "run", points=2000))
    assert len(source) < 10e6
    assert "default-src 'none'" in source
    parser = Tags()
    parser.feed(source)
    links = [
        value for name, value in parser.attributes if name in ("src", "href", "action", "data")
    ]
    assert len(links) > 8
    assert all(link.startswith(("data:", "#")) for link in links), links
    # What a label or a reason says is text, never markup:
    assert not {"img", "iframe", "object", "base"} & set(parser.tags)
    assert not [name for name, _ in parser.attributes if name.startswith("on")]
    assert not re.findall(r"url\(|@import|<link[^>]*stylesheet|fetch\(|XMLHttpRequest", source)


def test_pictures_too_many_and_too_large_keep_the_page_small():
    noise = np.random.default_rng(0).integers(0, 256, (2000, 96, 64, 3), dtype=np.uint8)
    made = sheet(noise)
    assert made["tile"] == [32, 48]
    assert len(made["sheet"]) < 5e6


def test_the_map_carries_each_point_once_and_its_labels_in_order(tmp_path):
    source = page(make(tmp_path / "run", points=2500))
    data = json.loads(re.search(r'id="map-data">(.*?)</script>', source, re.S)[1])
    assert len(data["x"]) == len(data["label"]) == 2000
    assert len(set(data["index"])) == 2000
    assert data["left_out"] == 500
    assert 0 <= min(data["x"] + data["y"]) <= max(data["x"] + data["y"]) <= 1000
    assert data["names"] == [f"{i} {EVIL}" for i in range(3)]


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"status": "none"}, "it has no results.json"),
        ({"status": "none", "metrics": False, "atlas": False}, "has not begun to train"),
        ({"status": "interrupted"}, "was interrupted"),
        (
            {"status": "failed", "terms": [], "probes": [], "representation": None},
            "failed before its end",
        ),
        ({"atlas": False}, "no map.npz"),
        ({"recipe": False}, "recipe.yaml is missing"),
        ({"pictures": False}, "The map of z_top"),
        ({"metrics": False}, "Every term, held out"),
    ],
)
def test_a_run_with_pieces_missing_still_has_a_page_that_says_so(tmp_path, missing, says):
    run = make(tmp_path / "run", **missing)
    assert says in text(page(run))


def test_a_ceiling_that_is_not_trainings_says_whose_it_is(tmp_path):
    run = make(tmp_path / "run")
    assert "ceiling 6.24" in page(run) and "of validation" not in page(run)
    (run / "metrics.jsonl").unlink()
    for split, ceiling in (("train", 9.0), ("validation", 6.24)):
        term = MetricTerm(
            between=ENDS[0], bound="infonce", side="lower", nats=5.0, ceiling=ceiling
        )  # fmt: skip
        append_metric(run / "metrics.jsonl", Metric(step=1, epoch=1, split=split, terms=[term]))
    assert "ceiling of validation 6.24" in page(run)


def test_damaged_pieces(tmp_path):
    run = make(tmp_path / "run")
    (run / "map.npz").write_bytes(b"PK\x03\x04 not an archive")
    (run / "recipe.yaml").write_text("views: [unclosed")
    (run / "metrics.jsonl").write_text('{"step": 1\n')
    (run / "views.json").write_text('{"row": 1, "views": {"top": {"bars": ["a"]}}}')
    told = text(page(run))
    for says in (
        "views.json cannot be read",
        "map.npz cannot be read",
        "recipe.yaml cannot be read",
        "1 damaged line",
    ):
        assert says in told
    before = (run / "report.html").read_text()
    (run / "results.json").write_text('{"terms": [{"between"')
    with pytest.raises(InfomaxError, match=r"results\.json"):
        write(run)
    assert (run / "report.html").read_text() == before
    with pytest.raises(InfomaxError, match="run folder"):
        write(tmp_path)
    with pytest.raises(InfomaxError, match="no folder"):
        write(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("recipe.yaml", "maximize: 3\nminimize: {a: 1}\nviews: {v: {signal: [1]}, 2: x}"),
        ("recipe.yaml", "views: [1, 2]\nmaximize: [3, {between: [1]}]\nevaluate: 5\ndata: x"),
        (
            "neighbours.json",
            '[{"to": 1, "among": ["x"], "queries": [{"query": {}, "answers": []}]}]',
        ),
        ("views.json", '{"row": 1, "views": {"top": {"size": "ab", "text": {"a": 1}}}}'),
        ("views.json", "[]"),
        (
            "metrics.jsonl",
            '{"step": 1, "epoch": null, "split": "train", "terms": [{"between": ["a", "b"], '
            '"bound": "x", "side": "lower", "nats": 1.0}]}',
        ),
    ],
)
def test_a_file_of_another_shape_does_not_cost_the_page(tmp_path, file, content):
    run = make(tmp_path / "run", status="none")
    (run / file).write_text(content)
    source = page(run)
    assert "it has no results.json" in text(source)
    assert not re.search(r"\bnan\b", source)


def test_numbers_that_are_not_finite_are_said_to_be_missing(tmp_path):
    bad = Term(between=("a", "b"), bound="nwj", side="lower", nats=math.nan, contexts=5)
    told = text(page(make(tmp_path / "run", terms=[bad])))
    assert "could not be computed" in told
    assert not re.search(r"\b(nan|inf|None)\b", told)


class Trap:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_crossed_numbers_are_not_offered_for_quoting(tmp_path):
    assert "To quote" in text(page(make(tmp_path / "run")))
    assert "To quote" not in text(page(make(tmp_path / "crossed", verdict="crossed")))


def test_a_map_is_never_unpickled(tmp_path):
    run = make(tmp_path / "run")
    labels = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.savez(run / "map.npz", points=np.zeros((1, 2)), labels=labels)
    assert "map.npz cannot be read" in text(page(run))
    assert not (tmp_path / "sprung").exists()


# ---------------------------------------------------------------- words


def test_a_bound_is_never_called_an_equality():
    def say(side, **more):
        term = Term(
            between=("a", "b"), bound="x", side=side, nats=2.0, stderr=0.1, contexts=9, **more
        )
        return headline(Results(terms=[term])), " ".join(meaning(term))

    assert "at least 2.00 ± 0.10 nats" in say("lower")[0]
    assert "at most 2.00" in say("upper")[0]
    assert "about 2.00" in say("estimate")[0]
    assert "at least 7.4 times" in say("lower")[1]
    assert "times more likely" not in say("upper")[1]
    assert "contradict" in say("lower", verdict="crossed")[0]
    assert "do not carry over" in say("lower", train_nats=4.5)[1]
    assert "do not trust it" in say("lower", control_nats=0.9)[1]
    nothing = Term(between=("a", "b"), bound="x", side="lower", nats=0.1, stderr=0.1, contexts=9)
    assert "No shared information" in headline(Results(terms=[nothing]))


def test_every_term_is_named_or_counted_and_steps_ahead_are_said():
    def term(nats, **more):
        known = {"between": ("a", "b"), "bound": "x", "side": "lower", "stderr": 0.1}
        return Term(nats=nats, contexts=9, **known | more)

    assert pair(term(1.0, positions=3)) == "a and b (3 steps ahead)"
    assert pair(term(1.0, positions=1, given="c")) == "a and b (1 step ahead, given c)"
    assert others([term(1.0)]) == []
    (told,) = others([term(3.0, weight=2.0), term(1.0, positions=2), term(2.0, weight=-0.1)])
    assert "a and b (2 steps ahead) at least 1.00 ± 0.10" in told
    assert "2.00 ± 0.10 (minimized)" in told
    (told,) = others([term(9.0, weight=2.0), *(term(float(i)) for i in range(5)), term(math.nan)])
    assert told == "6 more terms show 0.00 to 4.00 nats (see below)."
    assert others([term(math.nan)] * 6) == []


def test_what_would_be_written_as_nothing_is_nothing():
    tiny = Term(
        between=("a", "b"), bound="x", side="lower", nats=1e-4, stderr=1e-5, contexts=9
    )  # fmt: skip
    assert "No shared information" in headline(Results(terms=[tiny]))
    assert not [said for said in meaning(tiny) if "times more likely" in said]


def test_a_probe_below_its_baseline_is_said_to_be_below():
    probe = Probe(view="z", label="l", metric="accuracy", raw=0.9, untrained=0.5, learned=0.8)
    told = probe_sentence(probe, 10_000).replace("\u00a0", " ")
    assert "10.0 points below the raw input" in told
    assert "30.0 points above the untrained encoder" in told
    assert "within two standard errors" not in told
    assert "within two standard errors" in probe_sentence(probe, 20)


# ---------------------------------------------------------------- the graph


def test_the_graph_knows_every_view_and_what_made_it():
    found = {
        node.name: node
        for node in nodes(RECIPE, ["z_top", "stranger"], {"top": Specimen(text="t")})
    }
    assert set(found) == {*RECIPE["views"], "stranger"}
    assert [found[n].kind for n in ("picture", "top", "z_top", "middle", "voice", "late")] == [
        "picture",
        "slice",
        "features",
        "middle",
        "sound",
        "slice",
    ]
    assert found["top"].made == "top half"
    assert found["middle"].made == "eye at stage2"
    assert found["late"].made == "1.0 s at second 5"
    assert [name for name in found if found[name].specimen] == ["top"]
    assert [n for n in found if found[n].probed] == ["z_top"]
    both = RECIPE | {"evaluate": {"view": ["top", "z_top"]}}
    assert [node.name for node in nodes(both, [], {}) if node.probed] == ["top", "z_top"]


def test_a_view_is_drawn_as_what_it_looks_like_and_nothing_is_loaded_for_it(tmp_path):
    source = page(make(tmp_path / "run"))
    wide, narrow = re.findall(r'<svg [^>]*class="(?:wide|narrow)".*?</svg>', source, re.S)
    for drawing in (wide, narrow):
        assert drawing.count(f'href="{seen()}"') == 2  # the picture and the sound's spectrogram
        assert drawing.count("<polyline") == 2
        assert "some words" in drawing
        assert re.search(r'class="plays"[^>]*aria-label="Play voice"', drawing)
        assert drawing.startswith("<svg") and 'role="group"' in drawing  # a button is inside
    assert source.count(heard()[:60]) == 1 + 30  # once for both drawings, and on the map
    assert "test context 7 as each view has it" in text(source)
    run = make(tmp_path / "evil")
    stolen = {"picture": {"picture": "https://x.org/a.png"}, "voice": {"sound": "file:///etc/x"}}
    (run / "views.json").write_text(json.dumps({"row": 0, "views": stolen}))
    assert not re.search(r"x\.org|/etc/x", page(run))


@pytest.mark.parametrize(
    ("shown", "holds"),
    [
        (Specimen(bars=(0.5, -1.0, 0.0)), r'class="bar"'),
        (Specimen(lines=((1.0, 1.0),)), "<polyline"),
        (Specimen(text="a < b"), "a &lt; b"),
        (Specimen(picture="data:image/png;base64,", size=(500, 20)), r'class="thumb"'),
        (Specimen(picture="data:image/png;base64,", size=(8, 8)), r"thumb coarse"),
        (Specimen(), "ground"),
    ],
)
def test_what_is_drawn_stays_in_its_box(shown, holds):
    drawn = draw(shown, "v", (10.0, 20.0, 100.0, 56.0))
    assert re.search(holds, drawn)
    for tag in re.findall(r"<(?:rect|image)[^>]*>", drawn):
        x, y, width, height = (
            float(re.search(rf' {key}="([^"]+)"', tag)[1]) for key in ("x", "y", "width", "height")
        )
        assert min(x - 10, y - 20, 110.01 - x - width, 76.01 - y - height) >= 0


def test_words_are_broken_into_lines_that_fit_in_any_script():
    for words in ("an indivisibility of ducks", "汉字很长没有空格的句子在这里", "x" * 50, ""):
        rows = wrapped(words, 10, 3)
        assert 1 <= len(rows) <= 3
        assert all(sum(1 + (ord(c) > 0x2E80) for c in row) <= 10 for row in rows)
    assert wrapped("one two three four five six", 9, 2) == ["one two", "three…"]
    assert wrapped("short", 9, 2) == ["short"]


@pytest.mark.parametrize("columns", [True, False])
def test_no_two_cards_overlap_and_no_line_crosses_a_card(columns):
    views = nodes(RECIPE, [], {})
    ends = {end for pair in ENDS for end in pair}
    at = places(views, ends, columns)
    assert set(at) == {ROOT, *RECIPE["views"]}
    assert len(set(at.values())) == len(at)
    for end in ends:  # its line runs to the right: nobody stands there
        depth, row = at[end]
        assert not [name for name, (d, r) in at.items() if r == row and d > depth]
    parents = {view.name: view.parent for view in views}
    assert all(at[name][0] == at[parent][0] + 1 for name, parent in parents.items())


def test_a_cycle_or_a_lost_parent_does_not_stop_the_drawing():
    views = [Node(name=a, parent=b, made="", kind="slice") for a, b in ("ab", "ba", "cx")]
    assert set(places(views, set(), True)) == {ROOT, "a", "b", "c"}


def test_brackets_in_one_lane_do_not_touch_and_labels_do_not_overlap():
    random = np.random.default_rng(1)
    spans = [tuple(sorted(random.integers(0, 12, 2).astype(float))) for _ in range(40)]
    lane = lanes(spans)
    for i in range(40):
        for j in range(i):
            apart = spans[i][1] < spans[j][0] or spans[j][1] < spans[i][0]
            assert apart or lane[i] != lane[j]
    where = spread([20 * (low + high) for low, high in spans], 40, 20)
    assert min(where) >= 20
    assert min(np.diff(sorted(where))) >= 40 - 1e-9
    assert spread([50, 200], 40, 20) == [50, 200]


# ---------------------------------------------------------------- a real browser

# Runs after the page's own script: moves a pointer over the map and a curve, presses keys, and
# leaves what it saw in the title's data attributes.
PROBE = """<script>
const seen = document.documentElement.dataset;
addEventListener("error", (e) => (seen.error = e.message));
addEventListener("securitypolicyviolation", (e) => (seen.error = e.blockedURI));
addEventListener("load", () => setTimeout(() => {
  const told = () => document.getElementById("told").textContent;
  const move = (target, x, y) => {
    const box = target.getBoundingClientRect();
    const at = {clientX: box.left + x * box.width, clientY: box.top + y * box.height};
    target.dispatchEvent(new PointerEvent("pointermove", at));
  };
  const colors = (c) => {
    const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    return new Set(new Uint32Array(data.buffer)).size;
  };
  const canvas = document.querySelector(".stage canvas");
  seen.before = told();
  for (let x = 0; x < 1; x += 0.01) for (let y = 0; y < 1; y += 0.05) move(canvas, x, y);
  seen.hovered = told();
  const playing = () => document.querySelectorAll(".playing").length;
  const players = [...document.querySelectorAll(".plays")];
  const player = players.find((p) => p.getBoundingClientRect().width);
  player.dispatchEvent(new MouseEvent("click"));
  seen.played = playing();
  player.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
  seen.stopped = playing();
  const audio = document.querySelector(".map aside audio");
  const heard = new Set();
  for (let x = 0; x < 1; x += 0.02) for (let y = 0; y < 1; y += 0.05) {
    move(canvas, x, y);
    heard.add(audio.hidden ? "silent" : audio.src.slice(0, 14));
  }
  seen.heard = [...heard].sort().join(" ");
  seen.picture = colors(document.querySelector(".seen .picture"));
  const keys = new Set();
  for (const key of ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft"]) {
    canvas.dispatchEvent(new KeyboardEvent("keydown", {key}));
    keys.add(told());
  }
  seen.keys = keys.size;
  seen.map = colors(canvas);
  document.querySelector(".legend button").click();
  seen.pressed = document.querySelectorAll('.legend [aria-pressed="true"]').length;
  move(document.querySelector("svg.curve"), 0.6, 0.1);
  seen.tip = document.getElementById("tip").textContent;
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  const drawn = [...document.querySelectorAll(".scroll svg")];
  const visible = drawn.filter((svg) => svg.getBoundingClientRect().width);
  const boxes = [...document.querySelectorAll("#views .scroll")];
  seen.scrolls = Math.max(0, ...boxes.map((box) => box.scrollWidth - box.clientWidth));
  seen.graphs = visible.map((svg) => svg.getAttribute("class"));
  seen.title = document.title;
  const loaded = performance.getEntriesByType("resource").map((r) => r.name);
  seen.requests = loaded.filter((name) => !name.startsWith("data:")).length;
  seen.opened = performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd;
}, 500));
</script></body>"""


@needs_browser
@pytest.mark.parametrize(("width", "graph"), [(1200, "wide"), (390, "narrow")])
def test_in_chromium_the_map_and_the_curves_answer(tmp_path, width, graph):
    source = page(make(tmp_path / "run"))
    probed = tmp_path / "probed.html"
    probed.write_text(source.replace("</body>", PROBE), encoding="utf-8")
    dom, console = browse(probed, tmp_path / "home", f"--window-size={width},900", "--dump-dom")
    assert not console
    root = re.search(r"<html[^>]*>", dom)[0]
    seen = {k: html.unescape(v) for k, v in re.findall(r'data-(\w+)="([^"]*)"', root)}
    assert "error" not in seen
    assert seen["before"].startswith("Hover")
    assert re.fullmatch(r"\d .*context (\d+)“words \1 .*”", seen["hovered"])
    assert seen["played"] == "1" and seen["stopped"] == "0"
    assert seen["heard"] == "data:audio/wav silent"
    assert int(seen["picture"]) > 10  # the thumbnail is noise: many colours
    assert int(seen["keys"]) >= 3
    assert int(seen["map"]) > 10
    assert seen["pressed"] == "1"
    assert re.search(r"epoch 3\s*validation  1\.50 nats", seen["tip"])
    assert int(seen["overflow"]) <= 0
    assert seen["graphs"] == graph
    assert int(seen["scrolls"]) <= 0
    assert seen["title"] != "evil"
    assert seen["requests"] == "0"
    assert float(seen["opened"]) < 2000


DEEP = RECIPE | {
    "views": {
        "picture": {"signal": "picture"},
        "seen": {"of": "picture", "augment": "crop_flip"},
        "top": {"of": "seen", "half": "top"},
        "z_top": {"of": "top", "encode": "eye"},
        "middle": {"of": "top", "encode": "eye", "at": "stage2"},
        "z_voice": {"signal": "voice"},
    }
}


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_chromium_a_deep_graph_fits_without_scrolling(tmp_path, width):
    run = make(tmp_path / "run", atlas=False)
    (run / "recipe.yaml").write_text(yaml.safe_dump(DEEP))
    probe = (
        "<script>addEventListener('load', () => {"
        "const box = document.querySelector('#views .scroll');"
        "document.documentElement.dataset.scrolls = box.scrollWidth - box.clientWidth;"
        "document.documentElement.dataset.graph = box.clientWidth;});</script></body>"
    )
    path = tmp_path / "deep.html"
    path.write_text(page(run).replace("</body>", probe), encoding="utf-8")
    dom, console = browse(path, tmp_path / "home", f"--window-size={width},900", "--dump-dom")
    assert not console
    assert int(re.search(r'data-graph="(\d+)"', dom)[1]) > 300
    assert int(re.search(r'data-scrolls="(\d+)"', dom)[1]) == 0


@needs_browser
def test_in_chromium_it_is_light_and_dark(tmp_path):
    from PIL import Image

    report = write(make(tmp_path / "run"))
    mean = {}
    for scheme, setting in (("light", 1), ("dark", 0)):
        picture = tmp_path / f"{scheme}.png"  # kept with the test's folder, to look at
        flags = ("--window-size=1200,3000", f"--blink-settings=preferredColorScheme={setting}")
        _, console = browse(report, tmp_path / scheme, *flags, f"--screenshot={picture}")
        assert not console
        shown = np.asarray(Image.open(picture).convert("L"))
        mean[scheme] = shown.mean()
        assert len(np.unique(shown)) > 50  # something is drawn
    assert mean["light"] > 200
    assert mean["dark"] < 70


def test_a_heat_map_is_as_dark_as_a_cell_says_and_escapes_names():
    cells = [
        heat.Cell(row="a<b", column=column, share=share, value="1.0", below="of 2", told="said")
        for column, share in (("none", -1.0), ("all", 2.0))
    ]
    drawn = heat.draw(cells)
    assert re.findall(r'fill-opacity="([0-9.]+)"', drawn) == ["0.08", "0.95"]
    assert drawn.count('class="dark"') == 1 and drawn.count("a&lt;b") == 1 and "a<b" not in drawn
    assert drawn.count("<rect") == 2 and "none" in drawn and "all" in drawn


# -- figures for papers --------------------------------------------------------------------------


def test_figures_are_files_that_need_nothing_else(tmp_path):
    import xml.etree.ElementTree as ElementTree

    from PIL import Image

    run = make(tmp_path / "run")
    written = write_figures(run, tmp_path / "new" / "figures")
    names = {path.name for path in written}
    assert {"views.svg", "views.png", "curve-1.svg", "map.png"} <= names
    assert names == {path.name for path in (tmp_path / "new" / "figures").iterdir()}
    for path in written:
        if path.suffix == ".svg":
            text = path.read_text()
            root = ElementTree.fromstring(text)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert float(root.attrib["width"]) > 100 < float(root.attrib["height"])
            assert "var(" not in text
            assert "color-mix" not in text
        else:
            drawn = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
            assert len(np.unique(drawn, axis=0)) > 20  # ink, and not of one colour
            assert (drawn[0] == 255).all()


def test_colours_of_a_figure_are_those_of_the_page_by_daylight(tmp_path):
    from PIL import Image

    run = make(tmp_path / "run")
    write_figures(run, tmp_path / "figures")
    drawn = np.asarray(Image.open(tmp_path / "figures" / "curve-1.png").convert("RGB"))
    first = np.array([0x47, 0x53, 0xC9])  # --c0, light
    assert (drawn == first).all(-1).sum() > 100
    soft = np.array([0x5D, 0x64, 0x74])  # the words on the axes
    assert (drawn == soft).all(-1).sum() > 100


def test_an_unfinished_run_gives_the_figures_that_it_has_and_an_empty_one_an_error(tmp_path):
    run = make(tmp_path / "run", atlas=False)
    (run / "results.json").unlink()
    names = {path.stem for path in write_figures(run, tmp_path / "figures")}
    assert "views" in names and "curve-1" in names
    assert not names & {"map", "nats-after"}
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "metrics.jsonl").write_text("")
    with pytest.raises(InfomaxError, match="something to draw"):
        write_figures(bare, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_command_writes_figures_and_refuses_a_file(tmp_path, capsys, monkeypatch):
    from infomax import cli

    run = make(tmp_path / "run")

    def told(folder):
        monkeypatch.setattr("sys.argv", ["infomax", "report", str(run), "--figures", str(folder)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    assert not told(tmp_path / "f")
    assert "views.svg" in capsys.readouterr().out.replace("\n", "")
    (tmp_path / "file").write_text("")
    assert told(tmp_path / "file") == 2
