"""A transformer of texts: each by itself, whatever the padding; order tells; pieces are state."""

import copy

import pytest
import torch
from torch.nn import functional as F

from infomax import checkpoint, recipe, runs
from infomax._errors import InfomaxError
from infomax.encoders import Bag, Transformer
from infomax.slices import lengths

LINES = ["a frog", "the toad and the frog", "", "Кот и мышь", "a toad", "añejo 日本語 z"]
SMALL = {"width": 16, "layers": 2, "heads": 2, "pieces": 300}


def batch(lines, length=60):
    rows = [torch.tensor(list(line.encode()[:length].ljust(length, b"\0"))) for line in lines]
    return torch.stack(rows).byte()


def started(**options):
    torch.manual_seed(0)
    net = Transformer(dim=8, **SMALL, **options)
    net.start([batch(LINES)])
    return net.eval()


@pytest.mark.parametrize("train", [False, True])
def test_a_text_is_encoded_by_itself_whatever_stands_beside_it(train):
    net = started(dropout=0.0).train(train)
    torch.nn.init.ones_(net.norm.bias)  # as training may: what is padding stays zero all the same
    together = net(batch(LINES))
    alone = torch.cat([net(batch([line], length=60 if line else 3)) for line in LINES])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    assert together.isfinite().all()


def test_a_text_is_encoded_as_its_real_pieces_alone_would_be():
    """The slow twin: no padding anywhere, one text at a time."""
    net = started()
    torch.nn.init.ones_(net.norm.bias)  # as training may: padding must not count all the same
    for line in LINES:
        pieces = [n for n in net._pieces.encode(line).ids if n != 0]
        steps = net.embedding.weight[pieces] + net.position.weight[: len(pieces)]
        for layer in (net.layer1.layer, net.layer2.layer):
            steps = layer(steps[None])[0]
        steps = net.norm(steps)
        by_hand = net.head(torch.cat([steps.mean(0), steps.amax(0)]))
        torch.testing.assert_close(net(batch([line]))[0], by_hand, atol=1e-5, rtol=1e-5)


def test_stages_are_sequences_of_one_length_and_padding_is_zero():
    net, seen = started(), {}
    for name in ("layer1", "layer2"):
        net.get_submodule(name).register_forward_hook(lambda m, i, o, n=name: seen.update({n: o}))
    net(batch(LINES))
    steps = int(lengths(seen["layer1"]).max())  # of the longest training text
    net(batch(["a"]))
    assert seen["layer1"].shape == seen["layer2"].shape == (1, steps, 16)
    assert lengths(seen["layer2"]).tolist() == lengths(seen["layer1"]).tolist()
    assert 2 <= int(lengths(seen["layer1"])[0]) < steps


def test_case_and_composition_of_letters_make_no_difference_and_bytes_are_never_unknown():
    net = started()
    one, other, new = net(batch(["Ａ FROG", "a frog", "ጤና ይስጥልኝ"]))
    torch.testing.assert_close(one, other)
    assert new.isfinite().all() and not torch.allclose(new, other)


def test_what_is_beyond_the_longest_is_not_read():
    torch.manual_seed(0)
    net = Transformer(dim=8, **SMALL, longest=4)
    net.start([batch(LINES)])
    net.eval()
    shapes = []
    net.layer1.register_forward_hook(lambda module, given, made: shapes.append(made.shape[1]))
    torch.testing.assert_close(*net(batch(["a b c d e f", "a b c d e g"])))
    assert not torch.allclose(*net(batch(["a b c", "a d c"])))
    assert shapes == [4, 4]


def test_the_pieces_travel_with_the_weights_and_are_the_same_each_time():
    net, again, other = started(), started(), Transformer(dim=8, **SMALL)
    assert torch.equal(net.learned, again.learned)
    saved = {f"model.{name}": value for name, value in net.state_dict().items()}
    checkpoint.unpack_part(saved, "", other)
    assert torch.equal(other.eval()(batch(LINES)), net(batch(LINES)))
    stale = Transformer(dim=8, **SMALL)
    stale.start([batch(["another text", "other words"])])
    stale(batch(LINES))
    checkpoint.unpack_part(saved, "", stale)
    assert torch.equal(stale.eval()(batch(LINES)), net(batch(LINES)))
    other.start([batch(["something else altogether, else"] * 3)])
    assert not torch.equal(other.learned, net.learned)
    assert torch.equal(copy.deepcopy(net)(batch(LINES)), net(batch(LINES)))


@pytest.mark.parametrize("reader", ["transformer", "bag"])
def test_order_is_read_by_a_transformer_and_not_by_a_bag(reader):
    torch.manual_seed(0)
    names = ["red", "blue", "green", "grey"]
    pairs = [(a, b) for a in names for b in names if a != b]
    texts, first = batch([f"{a} on {b}" for a, b in pairs]), [names.index(a) for a, _ in pairs]
    net = Transformer(dim=4, **SMALL, dropout=0.0) if reader == "transformer" else Bag(dim=4)
    net.start([texts])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(150):
        loss = F.cross_entropy(net(texts), torch.tensor(first))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (net(texts).argmax(1) == torch.tensor(first)).float().mean()
    assert right > 0.99 if reader == "transformer" else right <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Transformer(width=10, heads=4), "multiple"),
        (lambda: Transformer(layers=0), "layers: 0"),
        (lambda: Transformer()(batch(LINES)), "seen no texts"),
        (lambda: Transformer().start([batch(["", ""])]), "empty"),
        (lambda: Transformer(pieces=100).start([batch(LINES)]), "pieces: 100"),
        (lambda: started().start([torch.zeros(2, 3)]), "text"),
    ],
)
def test_what_cannot_be_is_said(make, said):
    with pytest.raises(InfomaxError, match=said):
        make()


def test_a_run_with_it_is_loaded_whole(tmp_path):
    lines = [f"{a} {b} {c}" for a in "abcd" for b in "efgh" for c in "ijkl"]
    rows = "".join(f"{line},{line.upper()} again\n" for line in lines)
    (tmp_path / "pairs.csv").write_text(f"one,other\n{rows}")
    settings = [
        "data={source: csv, path: "
        + str(tmp_path / "pairs.csv")
        + ", signals: {one: {kind: text, column: one}, other: {kind: text, column: other}}}",
        "encoders.reader={kind: transformer, dim: 16, width: 16, heads: 2, pieces: 300}",
        "train.epochs=1",
        "train.batch=16",
    ]
    out = tmp_path / "run"
    first = runs.train(recipe.read("text-pairs", settings), out)
    again = runs.evaluate(out)
    assert again.terms[0].nats == first.terms[0].nats
    array, _ = runs.embed(out, f"csv:{tmp_path / 'pairs.csv'}", "z_one")
    assert array.shape == (64, 16)
