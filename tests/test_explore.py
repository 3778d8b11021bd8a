"""The page of `infomax explore`: what is found, what is refused, and the page in a real browser."""

import asyncio
import io
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image
from starlette.testclient import TestClient

from browser import browse, needs_browser
from infomax import explore, recipe, runs
from infomax._errors import InfomaxError
from infomax.cli import main
from infomax.evaluation import cosine, embed
from infomax.evaluation.searching import pairs, score
from infomax.explore import reading
from infomax.explore.serving import local
from problems import halves

HOST = "127.0.0.1:8765"
N = 80
COLORS = ["red", "green", "blue", "grey"]
NOUNS = [f"{a}{b}" for a in ("ka", "mo", "ti", "zu", "pe") for b in ("lan", "rix", "dol", "fen")]


def tree(folder):
    """Pictures, sentences and voices of one thing; some lack a voice or a sentence."""
    return {
        "paper": "Nobody 2026",
        "data": {
            "source": "csv",
            "path": str(folder / "manifest.csv"),
            "label": "kind",
            "test": 0.4,
            "signals": {
                "picture": {"kind": "picture", "size": 16, "channels": 3},
                "words": {"kind": "text"},
                "voice": {"kind": "sound", "rate": 8000, "seconds": 0.25},
                "facts": {"kind": "vector", "column": ["f0", "f1", "f2"]},
            },
        },
        "encoders": {
            "eye": {"kind": "convnet", "width": 4, "stages": 2},
            "reader": {"kind": "bag", "dim": 8},
            "ear": {"kind": "logmel", "rate": 8000, "width": 4, "stages": 1, "dim": 8},
            "knower": {"kind": "mlp", "hidden": [8], "dim": 5},
        },
        "views": {
            "picture": {"signal": "picture"},
            "words": {"signal": "words"},
            "voice": {"signal": "voice"},
            "facts": {"signal": "facts"},
            "seen": {"of": "picture", "augment": {"kind": "noise", "std": 0.2}},
            "z_seen": {"of": "seen", "encode": "eye"},
            "z_picture": {"of": "picture", "encode": "eye"},
            "z_words": {"of": "words", "encode": "reader"},
            "z_voice": {"of": "voice", "encode": "ear"},
            "z_facts": {"of": "facts", "encode": "knower"},
        },
        "maximize": [
            {"between": ["z_seen", "z_words"], "critic": {"kind": "separable", "dim": 8}},
            {"between": ["z_seen", "z_voice"], "critic": {"kind": "separable", "dim": 8}},
            {"between": ["z_seen", "z_facts"], "critic": {"kind": "separable", "dim": 8}},
        ],
        "train": {"epochs": 1, "batch": 16},
        "evaluate": {"view": "z_picture", "profile": False},
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of data, and a run on it."""
    folder = tmp_path_factory.mktemp("explore")
    rng = np.random.default_rng(0)
    lines = []
    for row in range(N):
        pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{row}.png")
        wave = rng.normal(size=1500) * np.linspace(0.05, 0.2, 1500)
        soundfile.write(folder / f"{row}.flac", wave, 8000)
        lines.append(
            {
                "picture": f"{row}.png",
                "words": "" if row % 11 == 3 else f"a {NOUNS[row % 20]} of {COLORS[row // 20]}",
                "voice": "" if row % 5 == 1 else f"{row}.flac",
                "kind": "<b>even" if row % 2 else "odd",
                **{f"f{i}": rng.normal() for i in range(3)},
            }
        )
    pd.DataFrame(lines).to_csv(folder / "manifest.csv", index=False)
    runs.train(recipe.check(tree(folder), "here"), folder / "run")
    return folder


@pytest.fixture(scope="module")
def index(made):
    return explore.opened(made / "run")


@pytest.fixture(scope="module")
def client(index):
    app = explore.application(index, hosts=frozenset({HOST}), upload=20_000)
    return TestClient(app, base_url=f"http://{HOST}")


def having(index, *lacking):
    """Test rows that have every view but those named, which they lack."""
    return [
        row
        for row in index.rows.tolist()
        if set(index.faces) - set(index.views_of(row)) == set(lacking)
    ]


def nearest(found, view):
    (answer,) = [answer for answer in found if answer["view"] == view]
    return answer["found"][0]


# ---------------------------------------------------------------- the search


def test_a_view_is_asked_by_once_without_its_random_steps_and_by_its_plain_name(index):
    assert list(index.faces) == ["z_picture", "z_words", "z_voice", "z_facts"]
    assert index.faces["z_picture"].view.parent is index.faces["z_picture"].view.path[0]


def test_what_nothing_can_compare_is_not_offered_and_what_no_edge_compares_says_so(index):
    assert ("z_facts", "z_words") not in index.ways  # 5 and 8 dimensions
    assert ("z_facts", "z_picture") in index.ways
    assert not index.ways["z_words", "z_voice"].trained
    assert index.ways["z_words", "z_voice"].by == "cosine"
    assert index.ways["z_words", "z_picture"].trained
    assert index.ways["z_words", "z_picture"].by == "separable critic"


def test_answers_are_those_of_evaluation_by_hand(made, index):
    """The slow twin: embed both views, score all pairs, sort."""
    chosen = runs.of(made / "run")
    contexts = index.contexts
    _, study = runs.load(made / "run", contexts, chosen, own=True)
    row = having(index)[0]
    for pair in pairs(chosen, study, contexts):
        x, y = (embed(end, contexts, "test") for end in (pair.a, pair.b))
        seen = embed(pair.b, contexts, "train")
        seen = seen[np.isfinite(seen).all(1)]
        names = ("z_picture", pair.names[1])
        for asked, answered, back in ((*names, False), (*names[::-1], True)):
            candidates = np.flatnonzero(np.isfinite(x if back else y).all(1))
            position = index.place(row)
            scores = score(pair, x, y, seen, back=back)(np.array([position]), candidates)[0]
            order = candidates[np.argsort(-scores, kind="stable")]
            (found,) = [a for a in index.ask_row(asked, row, 5) if a.view == answered]
            assert [hit.row for hit in found.hits] == index.rows[order[:5]].tolist()
            assert np.allclose([h.score for h in found.hits], np.sort(scores)[::-1][:5], atol=1e-5)
            assert found.own_rank == 1 + order.tolist().index(position)
            assert found.among == len(candidates)
    z = embed(study.views["z_picture"], contexts, "test")
    order = np.argsort(-cosine(z[[index.place(row)]], z)[0], kind="stable")
    (found,) = [a for a in index.ask_row("z_picture", row, 4) if a.view == "z_picture"]
    assert [hit.row for hit in found.hits] == index.rows[order[:4]].tolist()
    assert found.hits[0].own and found.hits[0].row == row


def test_views_through_slices_are_asked_with_the_slice(tmp_path):
    run = tmp_path / "run"
    runs.train(recipe.check(halves(epochs=1, limit=300), "here"), run)
    index = explore.opened(run)
    assert list(index.faces) == ["z", "w"]
    client = TestClient(explore.application(index, hosts=None))
    row = int(index.rows[0])
    picture = client.get(f"/media/signal/picture/{row}").content
    assert Image.open(io.BytesIO(picture)).size == (8, 8)
    assert Image.open(io.BytesIO(client.get(f"/media/view/w/{row}").content)).size == (8, 4)
    by_file = client.post("/api/ask?view=w", content=picture).json()
    by_row = client.get(f"/api/ask?view=w&row={row}").json()
    for one, other in zip(by_file["answers"], by_row["answers"], strict=True):
        assert [i["row"] for i in one["found"]] == [i["row"] for i in other["found"]]
    assert nearest(by_file["answers"], "w")["row"] == row
    assert nearest(by_file["answers"], "w")["score"] == pytest.approx(1, abs=1e-6)
    parts = nearest(by_file["answers"], "w")["parts"]
    assert [part["src"].split("/")[1] for part in parts] == ["view", "signal"]


def test_a_contexts_own_file_or_sentence_finds_it(made, index, client):
    frame = pd.read_csv(made / "manifest.csv", keep_default_na=False)
    for row in having(index)[:4]:
        given = {
            "z_picture": (made / f"{row}.png").read_bytes(),
            "z_voice": (made / f"{row}.flac").read_bytes(),
            "z_words": frame.words[row].encode(),
        }
        for view, content in given.items():
            found = client.post(f"/api/ask?view={view}", content=content).json()
            assert found["notes"] == []
            hit = nearest(found["answers"], view)
            assert hit["row"] == row and hit["score"] == pytest.approx(1, abs=1e-5)
            assert not hit["own"]  # nobody said that it is this context
            same = client.get(f"/api/ask?view={view}&row={row}").json()
            for one, other in zip(found["answers"], same["answers"], strict=True):
                assert [i["row"] for i in one["found"]] == [i["row"] for i in other["found"]]


def test_missing_cells_are_neither_asked_nor_answered(index, client):
    row = having(index, "z_voice")[0]
    refused = client.get(f"/api/ask?view=z_voice&row={row}")
    assert refused.status_code == 422 and "z_picture" in refused.json()["got"]
    found = client.get(f"/api/ask?view=z_picture&row={row}&k=50").json()
    assert found["query"]["lacks"] == ["voice"]
    assert "voice" not in [part["signal"] for part in found["query"]["parts"]]
    (voices,) = [a for a in found["answers"] if a["view"] == "z_voice"]
    assert voices["own_rank"] is None
    assert row not in [item["row"] for item in voices["found"]]
    assert all("z_voice" in item["views"] for item in voices["found"])
    sampled = client.get("/api/sample?view=z_voice&seed=3").json()["items"]
    assert sampled and all("z_voice" in item["views"] for item in sampled)
    assert voices["found"][0]["parts"][0]["signal"] == "voice"  # what was found comes first
    assert client.get(f"/media/signal/voice/{row}").status_code == 404


# ---------------------------------------------------------------- what is given


def test_what_is_given_becomes_what_training_saw(made, index):
    column = index.contexts.signals["picture"]
    own = reading.read((made / "7.png").read_bytes(), column, 0)
    assert torch.equal(own.row, column.read(torch.tensor([7]))[0]) and own.notes == ()
    column = index.contexts.signals["voice"]
    own = reading.read((made / "7.flac").read_bytes(), column, 8000)
    assert torch.equal(own.row, column.read(torch.tensor([7]))[0]) and own.notes == ()
    column = index.contexts.signals["words"]
    own = reading.read(b" a kalan of red\n", column, 0)
    assert torch.equal(own.row, column.read(torch.tensor([0]))[0]) and own.notes == ()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
def test_pictures_of_any_size_and_mode_are_taken_and_what_was_done_is_said(client, form):
    stream = io.BytesIO()
    Image.new("L" if form == "PNG" else "RGB", (40, 20), 90).save(stream, form)
    found = client.post("/api/ask?view=z_picture", content=stream.getvalue()).json()
    assert found["notes"] == [
        "40 x 20 pixels were scaled to 16 x 16, as the data's are and cut to this shape"
    ]
    assert found["query"]["parts"][0]["src"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_sounds_of_any_rate_are_taken_and_a_long_one_is_cut(client, form):
    stream = io.BytesIO()
    wave = np.sin(np.arange(4410) / 9)[:, None] * [0.1, 0.2]
    soundfile.write(stream, wave, 11025, format=form)
    found = client.post("/api/ask?view=z_voice", content=stream.getvalue()).json()
    assert "only the first 0.25 s of 0.4 s were heard" in found["notes"][0]


def test_a_long_sentence_is_cut_and_it_is_said(client):
    found = client.post("/api/ask?view=z_words", content=("é" * 3000).encode()).json()
    assert "the sentence was cut" in found["notes"][0]
    assert set(found["query"]["parts"][0]["text"]) == {"é"}


def bomb():
    """A picture of a few bytes that says it is large."""
    stream = io.BytesIO()
    Image.new("1", (8000, 8000)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def tiff():
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "TIFF")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("view", "content", "words"),
    [
        ("z_picture", b"not a picture", "PNG, JPEG"),
        ("z_picture", b"", "PNG, JPEG"),
        ("z_picture", bomb(), "8000 x 8000"),
        ("z_picture", tiff(), "PNG, JPEG"),  # PIL could, but it is not offered
        ("z_picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PNG, JPEG"),
        ("z_voice", b"RIFF\x24\0\0\0WAVEfmt ", "WAV, FLAC"),
        ("z_voice", b"", "WAV, FLAC"),
        ("z_words", b"\xff\xfe", "UTF-8"),
        ("z_words", b"  \n", "sentence"),
        ("z_facts", b"1, 2, 3", "a picture, a sound or a text"),
        ("z_seen", b"x", "z_picture, z_words"),
        ("../../etc/passwd", b"x", "z_picture, z_words"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_to_do(client, view, content, words):
    refused = client.post("/api/ask", params={"view": view}, content=content)
    assert refused.status_code == 422
    said = refused.json()
    assert set(said) == {"wanted", "got", "do"} and all(said.values())
    assert words in said["wanted"] + said["got"]
    assert "object at 0x" not in said["got"] and "BytesIO" not in said["got"]


def test_the_name_of_a_type_counts_for_nothing(made, client):
    picture = (made / "7.png").read_bytes()
    lied = {"content-type": "audio/wav", "content-disposition": "filename=../../x.wav"}
    assert client.post("/api/ask?view=z_picture", content=picture, headers=lied).status_code == 200


# ---------------------------------------------------------------- who may ask, and how much


def test_more_than_the_limit_is_refused_with_and_without_a_length(client):
    for content in (b"x" * 20_001, iter([b"x" * 15_000] * 3)):  # the second is sent in chunks
        refused = client.post("/api/ask?view=z_words", content=content)
        assert refused.status_code == 413 and "0.02 MB" in refused.json()["wanted"]
    assert client.post("/api/ask?view=z_words", content=b"x" * 20_000).status_code == 200


def test_no_more_than_the_limit_is_taken_in(index):
    """A body without an end is left as soon as it is too long."""
    app = explore.application(index, hosts=None, upload=1000)
    taken, sent = [], []

    async def receive():
        taken.append(1)
        return {"type": "http.request", "body": b"x" * 400, "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/api/ask", "query_string": b"view=z_words",
        "headers": [(b"host", b"a")], "http_version": "1.1", "scheme": "http", "root_path": "",
        "raw_path": b"/api/ask", "client": None, "server": None,
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert len(taken) == 3 and sent[0]["status"] == 413


@pytest.mark.parametrize(
    "path",
    [
        "/media/signal/picture/../../../../etc/passwd",
        "/media/signal/picture/..%2f..%2f..%2fetc%2fpasswd",
        "/media/signal/..%2fpicture/3",
        "/media/file/picture/3",
        "/media/signal/picture/-1",
        "/media/signal/picture/99999999",
        "/media/signal/words/{row}",
        "/page.py",
        "/../index.py",
        "/%2e%2e/index.py",
        "//etc/passwd",
        "/api/nothing",
    ],
)
def test_no_path_leads_anywhere_else(index, client, path):
    refused = client.get(path.format(row=having(index)[0]))
    assert refused.status_code == 404
    assert set(refused.json()) == {"wanted", "got", "do"}


def test_training_contexts_are_not_shown(index, client):
    row = int(index.contexts.rows("train")[0])
    assert client.get(f"/api/ask?view=z_picture&row={row}").status_code == 422
    assert client.get(f"/media/signal/picture/{row}").status_code == 404


@pytest.mark.parametrize("query", ["k=0", "k=51", "k=x", "k=-1", "row=", "row=1e3", "k=²"])
def test_numbers_that_are_none_are_refused(index, client, query):
    row = having(index)[0]
    told = f"/api/ask?view=z_picture&row={row}&{query}"
    assert client.get(told).status_code == 422


def test_only_the_page_itself_may_ask(client, index):
    for host in ("evil.example", "127.0.0.1", "127.0.0.1:9999", "127.0.0.1:8765.evil.example"):
        refused = client.get("/api/run", headers={"host": host})
        assert refused.status_code == 403 and host in refused.json()["got"]
    for origin in ("http://evil.example", "null", f"http://{HOST}.evil.example"):
        refused = client.post("/api/ask?view=z_words", content=b"x", headers={"origin": origin})
        assert refused.status_code == 403
    own = {"origin": f"http://{HOST}"}
    assert client.post("/api/ask?view=z_words", content=b"x", headers=own).status_code == 200
    anyone = TestClient(explore.application(index, hosts=None), base_url="http://box.example")
    assert anyone.get("/api/run").status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_a_page_elsewhere_cannot_load_what_is_here_but_link_to_it(client, index, site):
    elsewhere = site in ("cross-site", "same-site")
    address = f"/media/signal/picture/{index.rows[0]}"
    loaded = client.get(address, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert loaded.status_code == (403 if elsewhere else 200)
    opened = client.get("/", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})
    assert opened.status_code == 200


def test_who_leaves_in_the_middle_of_an_upload_leaves_no_trace(index):
    app = explore.application(index, hosts=None)
    sent, given = [], [{"type": "http.request", "body": b"x", "more_body": True}]
    scope = {
        "type": "http", "method": "POST", "path": "/api/ask", "query_string": b"view=z_words",
        "headers": [(b"content-length", b"100")],
    }  # fmt: skip

    async def receive():
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # raises nothing
    assert sent[0]["status"] == 400


def test_an_unknown_view_is_named_before_a_missing_row(client):
    assert client.get("/api/ask").json()["wanted"].startswith("view: one of")


def test_every_answer_forbids_what_the_page_does_not_need(index, client):
    row = having(index)[0]
    for path in ("/", "/page.js", "/api/run", f"/media/signal/picture/{row}", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    for path in ("/", "/page.js", "/page.css"):
        assert "http:" not in client.get(path).text and "https:" not in client.get(path).text


def test_what_is_local():
    assert all(map(local, ("127.0.0.1", "localhost", "::1", "127.0.0.9")))
    assert not any(map(local, ("0.0.0.0", "::", "192.168.0.3", "example.org")))


# ---------------------------------------------------------------- the command


def told(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["infomax", "explore", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_bad_input_is_told_in_one_message(made, tmp_path, monkeypatch, capsys):
    assert "recipe.yaml" in told(monkeypatch, capsys, tmp_path)
    copy = tmp_path / "run"
    shutil.copytree(made / "run", copy)
    (copy / "model.safetensors").unlink()
    assert "no such file" in told(monkeypatch, capsys, copy)
    said = told(monkeypatch, capsys, made / "run", "digits")
    assert "wanted" in said and "Traceback" not in said
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in told(monkeypatch, capsys, made / "run", "--port", port)
    assert "--host" in told(monkeypatch, capsys, made / "run", "--host", "no.such.invalid")


def test_other_data_are_searched_in_place_of_the_runs_own(made):
    other = made / "other.csv"
    frame = pd.read_csv(made / "manifest.csv", keep_default_na=False)
    frame[:60].to_csv(other, index=False)
    index = explore.opened(made / "run", f"csv:{other}")
    assert index.contexts.count("test") < 30 and max(index.rows) < 60
    assert index.ask_row("z_picture", int(index.rows[0]), 3)


def test_without_a_port_a_free_one_is_taken():
    with explore.listening("127.0.0.1", None) as one, explore.listening("127.0.0.1", None) as two:
        assert one.getsockname()[1] != two.getsockname()[1]


def test_others_are_let_in_only_with_a_warning(index, monkeypatch):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    for host, warned in (("0.0.0.0", True), ("127.0.0.1", False)):
        said = []
        explore.serve(index, explore.listening(host, None), host, say=said.append)
        assert said[0].startswith("warning: anyone") == warned
        assert said[-1] == "explore: ended"


@pytest.fixture
def served(made):
    """The command in a process of its own: its address, and what ends it."""
    root = Path(explore.__file__).parents[2]
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        f"sys.path.insert(0, {str(root)!r});"
        f"sys.argv = ['infomax', 'explore', {str(made / 'run')!r}];"
        "from infomax.cli import main; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    lines = []

    def reading():
        lines.extend(iter(process.stdout.readline, ""))

    reader = threading.Thread(target=reading, daemon=True)
    reader.start()
    until = time.monotonic() + 60
    while time.monotonic() < until and not any("http://" in line for line in lines):
        assert process.poll() is None
        time.sleep(0.1)
    (address,) = [line.split()[1] for line in lines if "http://" in line]
    yield process, address, lines
    process.kill()
    reader.join(5)


# Runs in the page instead of a person: clicks, types, presses keys; leaves what it saw in the DOM.
PROBE = """
const seen = document.documentElement.dataset;
addEventListener("error", (e) => (seen.error = e.message));
addEventListener("securitypolicyviolation", (e) => (seen.error = "policy: " + e.blockedURI));
const all = (q) => [...document.querySelectorAll(q)];
const until = async (what) => {
  for (let i = 0; i < 400 && !what(); i++) await new Promise((r) => setTimeout(r, 25));
  if (!what()) throw new Error("waited in vain for " + what);
};
const answers = () => all("#answers section").length;
const title = () => document.getElementById("h-query").textContent;
const input = (name) => document.querySelector(`#views input[value=${name}]`);
addEventListener("load", async () => {
  try {
    await until(() => all("#sampled .card").length);
    seen.sampled = all("#sampled .card").length;
    const first = document.querySelector("#sampled .card p, #sampled .card img");
    first.click();
    await until(answers);
    seen.clicked = title();
    seen.answers = answers();
    seen.own = all("#answers .card.own").length;
    await until(() => all("#asked img").every((i) => i.complete && i.naturalWidth));
    input("z_words").click();
    await until(() => !document.getElementById("by-text").hidden);
    document.getElementById("sentence").value = "a kalan of red";
    document.querySelector("#by-text button").click();
    await until(() => title() === "Asked by z_words");
    seen.banners = all("#answers .banner").length;
    const alike = all("#answers section").find((s) => s.textContent.startsWith("Alike"));
    alike.querySelector(".card button").click(); // every card there has words
    await until(() => title().startsWith("Row"));
    seen.again = title();
    input("z_picture").click();
    const files = new DataTransfer();
    files.items.add(new File(["no picture"], "a.png"));
    document.getElementById("file").files = files.files;
    document.getElementById("file").dispatchEvent(new Event("change"));
    await until(() => !document.getElementById("error").hidden);
    seen.refused = document.getElementById("error").textContent;
    seen.unnamed = all("button").filter((n) => n.tabIndex < 0 || !n.textContent.trim()).length;
    seen.reachable = all(".card.can").every((c) => c.querySelector("button"));
    seen.bold = all(".card b").length;
    seen.overflow = document.documentElement.scrollWidth - innerWidth;
    const names = performance.getEntriesByType("resource").map((r) => r.name);
    const near = (n) => n.startsWith(location.origin) || n.startsWith("data:");
    seen.elsewhere = names.filter((n) => !near(n)).length;
  } catch (e) { seen.error = String(e); }
  seen.done = "yes";
});
"""


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_chromium_contexts_sentences_and_files_are_answered(index, tmp_path, width, monkeypatch):
    """The page as it is served, with its policy, and a probe appended to its own script."""
    import html
    import re

    import uvicorn

    from infomax.explore import addresses

    here = tmp_path / "page"
    shutil.copytree(addresses.HERE, here)
    (here / "page.js").write_text((here / "page.js").read_text() + PROBE)
    monkeypatch.setattr(addresses, "HERE", here)
    door = explore.listening("127.0.0.1", None)
    port = door.getsockname()[1]
    app = explore.application(index, hosts=frozenset({f"127.0.0.1:{port}"}))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        dom, logged = browse(
            f"http://127.0.0.1:{port}/", tmp_path / "home", "--virtual-time-budget=20000",
            f"--window-size={width},900", "--dump-dom",
        )  # fmt: skip
    finally:
        server.should_exit = True
        thread.join(20)
        door.close()
    root = re.search(r"<html[^>]*>", dom)[0]
    seen = {k: html.unescape(v) for k, v in re.findall(r'data-(\w+)="([^"]*)"', root)}
    assert seen.get("done") == "yes" and "error" not in seen, seen
    # the refused file is the one thing that a browser logs of itself
    assert not [line for line in logged if "422" not in line]
    assert int(seen["sampled"]) == 12 and re.fullmatch(
        r"Row \d+, asked by z_picture", seen["clicked"]
    )
    assert int(seen["answers"]) == 4 and int(seen["own"]) >= 1
    assert seen["banners"] == "1"  # words and voices: nothing compares them but a cosine
    assert seen["again"].endswith("asked by z_words")
    assert "PNG, JPEG" in seen["refused"]
    assert seen["unnamed"] == "0" and seen["reachable"] == "true" and seen["bold"] == "0"
    assert int(seen["overflow"]) <= 0 and seen["elsewhere"] == "0"


def test_the_command_answers_and_ctrl_c_ends_it_well(served):
    import urllib.request

    process, address, lines = served
    with urllib.request.urlopen(f"{address}api/run", timeout=10) as answer:
        assert b"z_picture" in answer.read()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    time.sleep(0.2)
    assert lines[-1].strip() == "explore: ended"
    assert not any("warning" in line or "Traceback" in line for line in lines)


def test_no_view_to_ask_by_is_an_error(index):
    from dataclasses import replace

    alone = replace(
        index.contexts, splits={**index.contexts.splits, "test": index.rows[:1]}
    )  # fmt: skip
    _, study = runs.load(
        Path(index.recipe.data.path).parent / "run", index.contexts, index.recipe, own=True
    )
    with pytest.raises(InfomaxError, match="two test contexts"):
        explore.Index(index.recipe, study, alone)
