"""A bag of words: TF-IDF as scikit-learn has it; what is left out in training changes no mean."""

import copy

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch.nn import functional as F

from infomax._errors import InfomaxError
from infomax.encoders import Bag, bag
from infomax.encoders.texts import pieces, words

LINES = ["a frog and a toad", "the toad", "", "a Frog saw the frogs", "añejo", "Кот и мышь, кот"]


def batch(lines, length=100):
    rows = [torch.tensor(list(line.encode().ljust(length, b"\0"))) for line in lines]
    return torch.stack(rows).byte()


def started(lines=LINES, **options):
    torch.manual_seed(0)
    net = Bag(**{"dim": 8, "least": 1, **options})
    net.start([batch(lines[:2]), batch(lines[2:])])
    return net.eval()


@pytest.mark.parametrize("grams", [0, 3])
@pytest.mark.parametrize("least", [1, 2])
def test_it_is_the_tf_idf_of_scikit_learn_and_a_linear_map(grams, least):
    net = started(grams=grams, least=least)
    twin = TfidfVectorizer(
        analyzer=lambda text: [p for word in words(text) for p in pieces(word, grams)],
        sublinear_tf=True,
        min_df=least,
    ).fit(LINES)
    new = [*LINES, "a newt and a frog", "nothing known"]
    columns = [twin.vocabulary_[piece] for piece in net.vocabulary]
    assert sorted(columns) == list(range(len(twin.vocabulary_)))
    weights = torch.from_numpy(twin.transform(new).toarray()[:, columns]).float()
    torch.testing.assert_close(net(batch(new)), weights @ net.weight, atol=1e-6, rtol=1e-5)


def test_a_text_is_encoded_by_itself_whatever_the_padding_and_an_empty_one_is_zeros():
    net = started()
    together = net(batch(LINES))
    alone = torch.cat([net(batch([line], len(line.encode()) + 1)) for line in LINES])
    torch.testing.assert_close(together, alone)
    assert not together[2].any() and not net(batch(["", ""])).any()


def test_the_vocabulary_is_what_stands_in_most_texts():
    assert started(grams=0, least=2).vocabulary == ["a", "frog", "the", "toad"]
    assert started(grams=0, most=2).vocabulary == ["a", "frog"]
    assert "<fr" in started(grams=3).vocabulary and "<fro" in started(grams=4).vocabulary


def test_nothing_is_left_out_in_use():
    assert torch.equal(started(drop=0.5)(batch(LINES)), started()(batch(LINES)))
    assert torch.equal(started(drop=0.0).train()(batch(LINES)), started()(batch(LINES)))


def test_what_is_left_out_in_training_changes_no_mean():
    net = started(drop=0.4).train()
    with torch.no_grad():
        draws = net(batch(LINES * 2000)).view(2000, len(LINES), -1)
        whole = net.eval()(batch(LINES))
    error = draws.std(0) / 2000**0.5
    assert (error[0] > 0).all() and not draws[:, 2].any()
    assert ((draws.mean(0) - whole).abs() <= 5 * error + 1e-6).all()


def test_each_piece_is_left_out_or_weighs_more():
    net = started(grams=0, drop=0.25).train()
    net.weight = torch.nn.Parameter(torch.eye(len(net.vocabulary)))  # shows the weights themselves
    with torch.no_grad():
        whole, drawn = net.eval()(batch(LINES)), net.train()(batch(LINES * 2000))
    share = drawn.view(2000, *whole.shape) / (whole / 0.75)
    kept = share[:, whole > 0]
    assert ((kept.abs() < 1e-6) | ((kept - 1).abs() < 1e-5)).all()
    assert abs(float(kept.mean()) - 0.75) < 5 * (0.1875 / kept.numel()) ** 0.5


def test_the_draws_are_those_of_the_seed_for_values_and_gradients():
    net, found = started(drop=0.5).train(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        net.zero_grad()
        value = net(batch(LINES))
        value.square().sum().backward()
        found.append((value.detach(), net.weight.grad.clone()))
    (a, ga), (b, gb), (c, _) = found
    assert torch.equal(a, b) and torch.equal(ga, gb) and not torch.equal(a, c)


def test_leaving_pieces_out_keeps_the_map_from_knowing_its_pairs_by_heart():
    """One language renames the other's words; in every text stand as many that mean nothing."""
    draw = np.random.default_rng(0)
    said, meant = [], []
    for _ in range(400):
        shared, one, other = (draw.choice(200, 8) for _ in range(3))
        said.append(" ".join([f"w{w}" for w in shared] + [f"x{w}" for w in one]))
        meant.append(" ".join([f"v{w}" for w in shared] + [f"y{w}" for w in other]))
    sides = [batch(side, 100) for side in (said, meant)]

    def right(drop):
        torch.manual_seed(0)
        net = Bag(dim=64, grams=0, drop=drop)
        net.start([side[:200] for side in sides])
        optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
        for _ in range(40):
            x, y = (F.normalize(net(side[:200]), dim=1) for side in sides)
            optimizer.zero_grad()
            F.cross_entropy(x @ y.T / 0.05, torch.arange(200)).backward()
            optimizer.step()
        x, y = (F.normalize(net.eval()(side[200:]), dim=1) for side in sides)
        return float(((x @ y.T).argmax(1) == torch.arange(200)).float().mean())

    assert right(0.5) > right(0.0) + 0.1


@pytest.mark.parametrize(
    ("one", "near", "far"),
    [
        ("我看见一只青蛙", "青蛙在水里", "他买了两本书"),
        ("私はカエルを見た", "カエルは水の中", "本を二冊買いました"),
        ("ฉันเห็นกบในน้ำ", "กบอยู่ในน้ำ", "เขาซื้อหนังสือสองเล่ม"),
    ],
)
@pytest.mark.parametrize("grams", [0, 3])
def test_without_spaces_between_words_what_is_shared_is_still_seen(one, near, far, grams):
    net = started([one, near, far], dim=512, grams=grams)
    a, b, c = net(batch([one, near, far]))
    assert a @ b > a @ c + 0.05


def test_words_of_scripts_without_spaces_are_apart_from_others_and_known_by_short_runs():
    assert words("iPhone手机, 第2章") == ["iphone", "手机", "第", "2", "章"]
    assert pieces("手机", 3) == ("手", "机", "手机")
    assert set(pieces("看见青蛙", 3)) > {"看见", "青蛙", "蛙", "看见青"}
    assert words("개구리를 보았다") == ["개구리를", "보았다"]  # Korean has spaces


def test_texts_beyond_the_memory_are_read_all_the_same(monkeypatch):
    net, small = started(), started()
    monkeypatch.setattr(bag, "KEPT", 2)
    for _ in range(2):
        assert torch.equal(small(batch(LINES)), net(batch(LINES)))
    assert len(small._seen) == 2


def test_what_was_learned_travels_with_the_weights():
    net, other = started(), started(["something else"] * 3)
    other(batch(LINES))
    shape = torch.nn.Parameter(torch.empty_like(net.weight))
    other.weight, other.idf, other.words = shape, net.idf.clone(), net.words.clone()
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(batch(LINES)), net(batch(LINES)))
    assert torch.equal(copy.deepcopy(net)(batch(LINES)), net(batch(LINES)))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bag(drop=1.0), "drop: 1.0"),
        (lambda: Bag(drop=-0.1), "drop: -0.1"),
        (lambda: Bag()(batch(LINES)), "seen no texts"),
        (lambda: Bag().start([batch(["one", "two"])]), "share none"),
        (lambda: started().start([torch.zeros(2, 3)]), "text"),
    ],
)
def test_what_cannot_be_is_said(make, said):
    with pytest.raises(InfomaxError, match=said):
        make()
