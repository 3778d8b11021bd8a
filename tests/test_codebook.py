"""Codes of patches: laws of what is counted, kept and forgotten."""

import numpy as np
import pytest
import torch

from infomax import checkpoint, encoders
from infomax._errors import InfomaxError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


RATE = 8000
KINDS = {
    "picture": ({"patch": 4}, lambda n, s: torch.rand(n, 3, 12, 10, generator=generator(s))),
    "sound": (
        {"patch": 3, "rate": RATE},
        lambda n, s: 0.1 * torch.randn(n, RATE, generator=generator(s)),
    ),
    "series": ({"patch": 3}, lambda n, s: torch.randn(n, 30, 2, generator=generator(s))),
}


def coded(kind):
    options, make = KINDS[kind]
    torch.manual_seed(0)
    net = encoders.Codebook(codes=12, **options)
    net.start([make(40, 0), make(40, 1)])
    return net, make


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_of_each_context_by_itself_and_a_state(kind):
    net, make = coded(kind)
    value = make(5, 2)
    z = net(value)
    assert z.isfinite().all() and len({tuple(row.tolist()) for row in z}) == 5
    torch.testing.assert_close(net(value[3:4]), z[3:4], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(coded(kind)[0](value), z)  # the same seed, the same codes
    again = encoders.Codebook(codes=12, **KINDS[kind][0])
    saved = {f"model.{name}": tensor for name, tensor in net.state_dict().items()}
    checkpoint.unpack_part(saved, "", again)
    torch.testing.assert_close(again(value), z)
    assert not list(net.parameters())


@pytest.mark.parametrize("kind", ["sound", "series"])
def test_padding_changes_no_code(kind):
    net, make = coded(kind)
    value = make(4, 2)
    padded = torch.cat([value, torch.zeros_like(value)], 1)
    torch.testing.assert_close(net(padded), net(value), atol=1e-5, rtol=1e-4)
    silent = net(torch.zeros_like(value))
    assert silent.isfinite().all()


def test_a_slow_reader_is_near_a_quick_one_and_the_length_is_kept():
    """The same course of one channel, of 30 and of 60 steps, and another course."""
    net = encoders.Codebook(codes=8, patch=3, grid=4)
    time = torch.linspace(0, 1, 61)[:60]
    slow = torch.stack([(6.3 * time).sin() + 2, (12.6 * time).cos() + 2])[:, :, None]
    quick = torch.cat([slow[:, ::2], torch.zeros(2, 30, 1)], 1)
    torch.manual_seed(0)
    net.start([slow + 0.1 * torch.randn(2, 60, 1) for _ in range(20)])
    a, b = net(slow), net(quick)
    assert (a[0] - b[0]).norm() < 0.5 * (a[0] - b[1]).norm()
    torch.testing.assert_close(a[:, -1] - b[:, -1], torch.full((2,), np.log(2.0)).float())


def test_a_grid_keeps_where_things_are_and_one_cell_forgets_it():
    picture = torch.zeros(1, 1, 16, 16)
    picture[..., 3:6, 3:6] = torch.rand(3, 3, generator=generator())
    moved = picture.roll((7, 7), (2, 3))
    for grid, width in ((1, 12), (2, 30)):  # the means of the cells, and the maximum
        torch.manual_seed(0)
        net = encoders.Codebook(codes=6, patch=3, grid=grid)
        net.start([torch.rand(30, 1, 16, 16, generator=generator(1))])
        z = net(picture)
        assert z.shape == (1, width)
        assert torch.allclose(z, net(moved), atol=1e-5) == (grid == 1)


def test_what_a_codebook_cannot_hear_or_see_is_refused():
    net, _ = coded("picture")
    with pytest.raises(InfomaxError, match="at least one patch"):
        net(torch.rand(2, 3, 3, 9))
    with pytest.raises(InfomaxError, match="series"):
        coded("series")[0](torch.rand(2, 9))
    with pytest.raises(InfomaxError, match="for each code"):
        encoders.Codebook(codes=500, patch=3).start([torch.rand(2, 1, 6, 6)])
    with pytest.raises(InfomaxError, match="learned its codes"):
        encoders.Codebook()(torch.rand(2, 3, 8, 8))
    with pytest.raises(InfomaxError, match="two codes"):
        encoders.Codebook(codes=1)
