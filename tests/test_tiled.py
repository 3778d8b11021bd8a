"""The tiled form is the dense form: value and gradients, whatever the shape and the scale."""

import math

import jaxtyping
import pytest
import torch

from infomax import bounds
from infomax._errors import InfomaxError
from infomax.bounds import sweeps, tiled
from problems import LargestTensor

PAIRS = {
    "infonce": (tiled.infonce, bounds.infonce),
    "two_sided": (
        lambda *a, **k: tiled.infonce(*a, two_sided=True, **k),
        lambda s, **k: bounds.infonce(s, two_sided=True, **k),
    ),
    "leave_one_out": (tiled.leave_one_out, bounds.leave_one_out),
    "nwj": (tiled.nwj, bounds.nwj),
    "donsker_varadhan": (tiled.donsker_varadhan, bounds.donsker_varadhan),
    "js": (tiled.js, bounds.js),
    "js_signal": (tiled.js_signal, bounds.js_signal),
}


@pytest.fixture(autouse=True)
def small_strips(monkeypatch):
    """Strips of 64 rows, so that small tests have several and a ragged last one."""
    monkeypatch.setattr(sweeps, "_STRIP", 1)
    monkeypatch.setattr(sweeps, "_ROWS", 64)


def unit(n, d, seed, dtype=torch.float32):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(x, dim=1).to(dtype)


def both(name, x, y, scale, float32=False, **keywords):
    """Value and gradients of x, y and scale: tiled, then dense (in float64 unless told)."""
    results = []
    for function, dense in ((PAIRS[name][0], False), (PAIRS[name][1], True)):
        wide = torch.float64 if dense and not float32 else x.dtype
        leaves = [t.detach().to(wide).requires_grad_() for t in (x, y, torch.tensor(scale))]
        a, b, t = leaves
        value = function(t * a @ b.T, **keywords) if dense else function(a, b, t, **keywords)
        (3.0 * value).backward()  # a factor that a forgotten chain rule would lose
        results.append([value.detach(), *(leaf.grad for leaf in leaves)])
    return results


def close(fast, slow, tolerance=1e-5):
    for a, b in zip(fast, slow, strict=True):
        size = 1 + b.abs().max().item()
        torch.testing.assert_close(a.double(), b.double(), rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", [(2, 2), (64, 64), (150, 150), (70, 201)])
@pytest.mark.parametrize("scale", [1.0, 14.3])
def test_equals_dense(name, shape, scale):
    close(*both(name, unit(shape[0], 8, 0), unit(shape[1], 8, 1), scale))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("scale", [-2.0, 100.0, 1000.0])
def test_equals_dense_where_exponentials_overflow(name, scale):
    bends = name in ("nwj", "js")  # where it bends is a matter of the type
    close(*both(name, unit(130, 8, 0), unit(130, 8, 1), scale, float32=bends), tolerance=1e-4)


@pytest.mark.parametrize("name", PAIRS)
def test_equals_dense_when_the_largest_scores_come_last_or_first(name):
    growing = torch.linspace(0.1, 2, 200)[:, None]
    for size in (growing, growing.flip(0)):
        close(*both(name, size * unit(200, 8, 0), unit(200, 8, 1), 10.0))


@pytest.mark.parametrize("name", PAIRS)
def test_equals_dense_with_positives_elsewhere(name):
    x, y = unit(100, 8, 0), unit(160, 8, 1)
    for positives in (torch.arange(100) + 60, torch.randint(0, 160, (100,))):
        close(*both(name, x, y, 5.0, positives=positives))


@pytest.mark.parametrize("name", ["infonce", "two_sided", "donsker_varadhan"])
def test_does_not_see_a_shift(name):
    x, y = unit(90, 8, 0), unit(90, 8, 1)
    one = torch.ones(90, 1)
    shifted = PAIRS[name][0](torch.cat([x, 300 * one], 1), torch.cat([y, one], 1), 1.0)
    assert shifted.item() == pytest.approx(PAIRS[name][0](x, y, 1.0).item(), abs=1e-4)


@pytest.mark.parametrize("name", PAIRS)
def test_huge_scores_give_finite_values_and_gradients(name):
    for sign in (1e4, -1e4):
        x = unit(70, 4, 0).requires_grad_()
        scale = torch.tensor(sign, requires_grad=True)
        value = PAIRS[name][0](x, x, scale)
        value.backward()
        for found in (value, x.grad, scale.grad):
            assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", PAIRS)
def test_half_precision_and_autocast(name):
    x, y = unit(80, 16, 0, torch.bfloat16), unit(80, 16, 1, torch.bfloat16)
    wide = PAIRS[name][1](7.0 * x.double() @ y.double().T)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = PAIRS[name][0](x.requires_grad_(), y, 7.0)
    assert got.item() == pytest.approx(wide.item(), abs=1e-5)
    got.backward()
    assert x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("name", PAIRS)
def test_without_gradients_and_with_one_of_two(name):
    x, y = unit(80, 16, 0), unit(80, 16, 1)
    plain = PAIRS[name][0](x, y, 3.0)
    assert not plain.requires_grad
    y.requires_grad_()
    PAIRS[name][0](x, y, 3.0).backward()
    close([y.grad], [both(name, x, y, 3.0)[1][2] / 3])


def test_the_matrix_is_never_held():
    """No tensor made on the way is larger than one strip or the embeddings."""

    x = unit(1000, 8, 0).requires_grad_()
    for function, _ in PAIRS.values():
        with LargestTensor() as largest:
            function(x, x, 2.0).backward()
        assert 64 * 1000 <= largest.numbers < 1000 * 1000 // 10


def test_a_bound_knows_its_tiled_loss():
    x, y = unit(80, 16, 0), unit(120, 16, 1)
    positives = torch.arange(80) + 40
    found = [bound for bound in bounds.ALL if bound.tiled is not None]
    assert {"InfoNCE", "SymmetricInfoNCE", "NWJ", "DonskerVaradhan", "JS"} <= {
        b.name for b in found
    }
    for bound in found:
        dense = bound.loss(5.0 * x @ y.T, positives=positives)
        assert bound.tiled(x, y, 5.0, positives=positives).item() == pytest.approx(
            dense.item(), abs=1e-5
        )


def test_bad_input_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for a user
    x = torch.zeros(4, 3)
    for call, words in (
        (lambda: tiled.infonce(x, torch.zeros(4, 2), 1.0), r"\[4, 3\]"),
        (lambda: tiled.infonce(x[0], x, 1.0), "one embedding a row"),
        (lambda: tiled.infonce(x[:1], x[:1], 1.0), "K = 2"),
        (lambda: tiled.infonce(x, x[:3], 1.0), "positives"),
        (lambda: tiled.infonce(x, x, torch.ones(4)), "one scale"),
        (lambda: tiled.nwj(x, x, math.nan), "NaN"),
        (lambda: tiled.infonce(x, torch.full((4, 3), math.nan), 1.0, two_sided=True), "NaN"),
    ):
        with pytest.raises(InfomaxError, match=words):
            call()
