import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from infomax._math import bend, knee, logmeanexp, masked_mean, widen

floats = st.floats(-1e4, 1e4, allow_nan=False, width=32)


def twin(values, keep):
    """Logmeanexp with a loop and the largest value taken out."""
    kept = [v for v, k in zip(values, keep, strict=True) if k]
    if not kept:
        return -math.inf
    top = max(kept)
    return top + math.log(sum(math.exp(v - top) for v in kept) / len(kept))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(floats, st.booleans()), min_size=1, max_size=9))
def test_logmeanexp_is_the_loop(pairs):
    values, keep = [p[0] for p in pairs], [p[1] for p in pairs]
    x = torch.tensor(values, dtype=torch.float64)
    got = logmeanexp(x, 0, torch.tensor(keep)).item()
    assert got == pytest.approx(twin(values, keep), rel=1e-12, abs=1e-9)
    assert logmeanexp(x, 0).item() == pytest.approx(twin(values, [True] * len(values)), abs=1e-9)


def test_masked_and_infinite_entries_have_zero_gradient_not_nan():
    x = torch.tensor(
        [[0.0, math.nan, 1.0], [-math.inf] * 3, [math.nan] * 3, [-math.inf, 2.0, 0.0]],
        requires_grad=True,
    )
    mask = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]], dtype=torch.bool)
    out = logmeanexp(x, 1, mask)
    assert out[1].item() == out[2].item() == -math.inf
    assert out[3].item() == pytest.approx(2 - math.log(2))
    out[[0, 3]].sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad[~mask] == 0).all()
    assert x.grad[1:3].abs().sum() == 0
    x.grad = None
    logmeanexp(x, 1, mask).exp().sum().backward()
    assert torch.isfinite(x.grad).all()


def test_masked_mean_is_the_loop_and_hides_nan():
    x = torch.tensor([[1.0, 5.0], [math.nan, 3.0], [math.nan, math.nan]], requires_grad=True)
    mask = torch.tensor([[True, True], [False, True], [False, False]])
    out = masked_mean(x, 1, mask)
    assert out.tolist() == [3.0, 3.0, 0.0]
    out.sum().backward()
    assert x.grad.tolist() == [[0.5, 0.5], [0.0, 1.0], [0.0, 0.0]]
    assert masked_mean(x, (0, 1), mask).item() == 3.0


def test_half_precision_is_widened_before_it_is_summed():
    x = torch.full((4096,), 1.0, dtype=torch.bfloat16)
    assert masked_mean(x, 0).item() == 1.0
    assert logmeanexp(x, 0).item() == pytest.approx(1.0, abs=1e-5)
    assert widen(x.double()).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bend_keeps_what_is_below_the_knee_and_stays_finite_above(dtype):
    c = knee(dtype)
    t = torch.tensor([-1e4, 0.0, c - 1, c + 1, 1e4, 1e6], dtype=dtype, requires_grad=True)
    out = bend(t)
    assert torch.equal(out[:3], t[:3])
    assert (out.diff() > 0).all()
    out.exp().sum().backward()
    assert torch.isfinite(out.exp()).all()
    assert torch.isfinite(t.grad).all()
    assert (t.grad[2:] > 0).all()  # never dead


def test_gradients_against_finite_differences():
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]], dtype=torch.bool)
    assert gradcheck(lambda v: logmeanexp(v, (0, 1), mask), x)
    assert gradcheck(lambda v: logmeanexp(v, 1, mask), x)
    assert gradcheck(lambda v: masked_mean(v, 1, mask), x)
    near = (knee(torch.float64) + torch.randn(5, dtype=torch.float64)).requires_grad_()
    assert gradcheck(bend, near)
