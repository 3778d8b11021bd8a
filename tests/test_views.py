import pytest
import torch
from torch import nn

from infomax._errors import InfomaxError
from infomax.encoders import ConvNet
from infomax.posteriors import GaussianHead
from infomax.slices import Columns, Crop, Half, Window
from infomax.views import Context, evaluate, vectors


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.inner = nn.Linear(4, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, value):
        self.calls += 1
        return self.head(self.inner(value.flatten(1)))


def test_an_encoder_tapped_at_two_stages_runs_once():
    net, x = Counting(), Context().signal("x")
    out, inner = x.encode(net), x.encode(net, at="inner")
    values = evaluate([out, inner], {"x": torch.ones(5, 4)})
    assert net.calls == 1
    torch.testing.assert_close(net.head(values.tensors[inner]), values.tensors[out])


def test_several_views_of_an_encoder_are_one_call_and_each_gets_its_own():
    """As if each were encoded by itself; other shapes by themselves, and places of both."""
    net, x, y = Counting(), Context().signal("x"), Context().signal("y")
    darker = x.augment(lambda v: 0.5 * v)
    out, mid, dark = x.encode(net), darker.encode(net, at="inner"), darker.encode(net)
    other = y.encode(net)
    signals = {"x": torch.randn(5, 4), "y": torch.randn(5, 2, 2)}
    values = evaluate([out, mid, dark, other], signals)
    assert net.calls == 2
    for view, value in ((out, signals["x"]), (dark, 0.5 * signals["x"]), (other, signals["y"])):
        torch.testing.assert_close(values.tensors[view], net(value))
    torch.testing.assert_close(values.tensors[mid], net.inner(0.5 * signals["x"]))


def test_posteriors_of_one_call_are_each_views_own():
    net, x = GaussianHead(3), Context().signal("x")
    a, b = x.encode(net), x.augment(lambda v: v + 1).encode(net)
    given = torch.randn(5, 4)
    values = evaluate([a, b], {"x": given}, draw=False)
    for view, value in ((a, given), (b, given + 1)):
        torch.testing.assert_close(values.posteriors[view].mean, net(value).mean)
        assert torch.equal(values.tensors[view], values.posteriors[view].mean)


def test_batch_normalization_takes_each_views_own_statistics():
    net, x = nn.BatchNorm1d(4), Context().signal("x")
    a, b = x.encode(net), x.augment(lambda v: 9 * v).encode(net)
    values = evaluate([a, b], {"x": torch.randn(64, 4)})
    for view in (a, b):
        torch.testing.assert_close(values.tensors[view].mean(0), torch.zeros(4), atol=1e-5, rtol=0)
        torch.testing.assert_close(values.tensors[view].std(0), torch.ones(4), atol=0.02, rtol=0)


def test_an_encoder_of_its_own_output_is_called_twice():
    net, x = nn.Linear(4, 4), Context().signal("x")
    once = x.encode(net)
    twice = once.encode(net)
    given = torch.randn(5, 4)
    values = evaluate([twice, once], {"x": given})
    torch.testing.assert_close(values.tensors[twice], net(net(given)))


def test_a_node_shared_by_two_views_is_evaluated_once():
    calls = []
    noisy = Context().signal("x").augment(lambda v: calls.append(1) or v + torch.randn_like(v))
    first, second = noisy.slice(Columns(0, 2)), noisy.slice(Columns(0, 2))
    values = evaluate([first, second], {"x": torch.zeros(3, 4)})
    assert len(calls) == 1
    assert torch.equal(values.tensors[first], values.tensors[second])


def test_two_augmentations_are_two_draws():
    x = Context().signal("x")
    a, b = (x.augment(lambda v: v + torch.randn_like(v)) for _ in range(2))
    values = evaluate([a, b], {"x": torch.zeros(3, 4)})
    assert not torch.equal(values.tensors[a], values.tensors[b])


def test_views_are_immutable():
    view = Context().signal("x")
    with pytest.raises(AttributeError):
        view.name = "other"


def test_pictures_of_bytes_become_shares_of_one():
    picture = Context().signal("picture")
    value = evaluate([picture], {"picture": torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)})
    assert value.tensors[picture].eq(1).all()


def test_feature_maps_have_positions_and_raw_pictures_do_not():
    picture = Context().signal("picture")
    local = picture.encode(ConvNet(channels=1, width=16), at="stage2")
    signals = {"picture": torch.zeros(2, 1, 28, 28)}
    values = evaluate([local, picture], signals)
    assert vectors(local, values.tensors[local]).shape == (2, 49, 32)
    assert vectors(picture, values.tensors[picture]).shape == (2, 784)


def test_halves_leave_a_gap_and_cover_the_rest():
    picture = torch.arange(28.0).view(1, 1, 28, 1).expand(1, 1, 28, 28)
    top, bottom = Half("top", gap=2)(picture), Half("bottom", gap=2)(picture)
    assert top[0, 0, :, 0].tolist() == list(range(12))
    assert bottom[0, 0, :, 0].tolist() == list(range(16, 28))
    left, right = Half("left")(picture), Half("right")(picture)
    assert torch.equal(torch.cat([left, right], 3), picture)


def test_slices_past_the_end_are_refused():
    with pytest.raises(InfomaxError, match="ends at 30"):
        Window(20, 10)(torch.zeros(2, 25))
    with pytest.raises(InfomaxError, match="rows"):
        Crop(20, 0, 10, 5)(torch.zeros(1, 1, 28, 28))
    with pytest.raises(InfomaxError, match="a picture for half"):
        Half("top")(torch.zeros(4, 9))


def test_an_unknown_stage_names_those_there_are():
    with pytest.raises(InfomaxError, match="stage1"):
        Context().signal("picture").encode(ConvNet(channels=1), at="stage9")


def test_a_signal_that_is_not_in_the_batch_is_named():
    with pytest.raises(InfomaxError, match="sound"):
        evaluate([Context().signal("sound")], {"picture": torch.zeros(1, 1, 2, 2)})


def test_a_view_is_there_where_its_signal_is_and_every_window_is_reached():
    sounds = torch.ones(4, 100)
    sounds[1, 50:] = 0
    sounds[2, 79:] = 0
    signal = Context().signal("sound")
    early, late = signal.slice(Window(0, 40)), signal.slice(Window(40, 40))
    inner = late.slice(Window(0, 20))
    there = torch.tensor([True, True, True, False])
    values = evaluate([early, inner], {"sound": sounds}, {"sound": there})
    assert values.present[signal].tolist() == [True, True, True, False]
    assert values.present[early].tolist() == [True, True, True, False]
    assert values.present[late].tolist() == [True, False, False, False]
    assert values.together(early, late).tolist() == [True, False, False, False]
    assert values.present[inner].tolist() == [True, False, False, False]


def test_a_recording_may_fall_short_of_a_window_by_a_hundredth():
    sounds = torch.ones(3, 1000)
    sounds[0, 793:] = 0
    sounds[1, 792:] = 0
    sounds[2, 791:] = 0
    assert Window(0, 800).reached(sounds).tolist() == [True, True, False]
    series = torch.ones(2, 1000, 3)
    series[1, 700:] = 0  # padding
    assert Window(700, 50).reached(series).tolist() == [True, False]
    assert Window(650, 100).reached(series).all()  # one that is not over before the window


def test_views_of_what_nobody_lacks_are_not_masked():
    x = Context().signal("x")
    values = evaluate([x.slice(Columns(0, 2))], {"x": torch.zeros(3, 4)})
    assert values.present == {} and values.together(x) is None
