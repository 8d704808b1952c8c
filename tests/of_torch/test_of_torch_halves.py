"""float16 and bfloat16 on the CPU: cast to float32 around the engine where that is quicker, rounded once."""

import copy

import pytest
import torch
from torch_pairs import LAYERS, axes, grid, pair

import tconv.torch
from tconv.torch import choice, engine, halves
from tconv.torch import functional as F

HALVES = [torch.float16, torch.bfloat16]
#: Half of the last bit that a number keeps, and what float32 adds.
ROUNDING = {torch.float16: 2**-11 * 1.01, torch.bfloat16: 2**-8 * 1.01}


@pytest.fixture(params=[False, True], ids=["loops", "oneDNN"])
def by_onednn(request, monkeypatch):
    """Whether PyTorch has oneDNN for these dtypes, whatever this processor has."""
    monkeypatch.setattr(halves, "BY_ONEDNN", frozenset(HALVES if request.param else ()))
    engine._calls.clear()
    yield request.param
    engine._calls.clear()


@pytest.fixture
def runs(monkeypatch):
    """The dtypes of x in calls that the engine has run."""
    seen, compute = [], engine.Call.compute

    def watched(self, x, *others):
        if self.engines is not None:
            seen.append(x.dtype)
        return compute(self, x, *others)

    monkeypatch.setattr(engine.Call, "compute", watched)
    return seen


def rounded_once(found, expected, dtype):
    """Every number is that of float64 up to rounding it once, and float32's own error of longer sums."""
    assert found.dtype is dtype
    slack = 1e-5 * expected.abs().max()
    assert ((found.double() - expected).abs() <= ROUNDING[dtype] * expected.abs() + slack).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(("name", "arguments"), LAYERS)
@pytest.mark.parametrize("last", [False, True])
def test_layers_are_rounded_once(name, arguments, last, dtype):
    ndim = axes(name)
    if last and ndim == 1:
        pytest.skip("one axis has one format")
    theirs, ours = pair(name, arguments)
    theirs, ours = theirs.to(dtype).double(), ours.to(dtype)
    for x in (grid(ndim, last=last, dtype=dtype), grid(ndim, batch=1, last=last, dtype=dtype)):
        for _ in range(3):  # packed for one call, for keeps, and kept
            rounded_once(ours(x), theirs(x.double()), dtype)
        assert ours(x).stride() == ours.float()(x.float()).stride()
        ours.to(dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(("name", "arguments"), LAYERS)
def test_gradients_are_rounded_once(name, arguments, dtype, by_onednn):
    theirs, ours = pair(name, arguments)
    theirs, ours = theirs.to(dtype).double(), ours.to(dtype)
    x = grid(axes(name), dtype=dtype).requires_grad_()
    exact = x.detach().double().requires_grad_()
    y = ours(x)
    dy = torch.randn_like(y)
    found = torch.autograd.grad(y, [x, *ours.parameters()], dy)
    expected = torch.autograd.grad(theirs(exact), [exact, *theirs.parameters()], dy.double())
    for number, (mine, wanted) in enumerate(zip(found, expected, strict=True)):
        by_torch = number == 2 or (number == 0 and "padding_mode" in arguments)
        if not by_torch:
            rounded_once(mine, wanted, dtype)
        else:  # the sum of the bias, and that of a border
            torch.testing.assert_close(mine.double(), wanted, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("dtype", HALVES)
def test_weights_of_an_odd_number_of_bytes_over_four_and_changed_ones(dtype):
    x, w = torch.randn(1, 3, 7, 5).to(dtype), torch.randn(3, 1, 3, 3).to(dtype)
    for _ in range(4):
        for _ in range(3):
            expected = torch.conv_transpose2d(x.double(), w.double(), None, 2, 1)
            rounded_once(F.conv_transpose2d(x, w, None, 2, 1), expected, dtype)
        w.view(-1)[-1] += 1  # the last two bytes


def test_a_layer_that_changes_its_dtype():
    layer = tconv.torch.nn.ConvTranspose2d(4, 6, 3, 2)
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float16):
        x = torch.randn(2, 4, 5, 6).to(dtype)
        mine = layer.to(dtype)
        for _ in range(3):
            y = mine(x)
        assert y.dtype is dtype
        torch.testing.assert_close(y.double(), _exact(mine)(x.double()), rtol=2e-2, atol=2e-2)


def _exact(layer):
    found = torch.nn.ConvTranspose2d(4, 6, 3, 2, dtype=torch.float64)
    found.load_state_dict(copy.deepcopy(layer).double().state_dict())
    return found


@pytest.mark.parametrize("dtype", HALVES)
def test_autocast_gives_what_pytorch_gives(dtype, runs):
    x, w, b = torch.randn(2, 8, 9, 7), torch.randn(8, 6, 3, 3), torch.randn(6)
    with torch.autocast("cpu", dtype):
        found = F.conv_transpose2d(x, w, b, 2)
        layer = tconv.torch.nn.ConvTranspose2d(8, 6, 3, 2)
        assert layer(x).dtype is dtype
        double = F.conv_transpose2d(x.double(), w.double(), b.double(), 2)
    exact = torch.conv_transpose2d(*(t.to(dtype).double() for t in (x, w, b)), 2)
    rounded_once(found, exact, dtype)
    assert double.dtype is torch.float64  # which autocast leaves as it is
    assert torch.is_autocast_enabled("cpu") is False


def test_float16_under_autocast_is_the_engines_and_its_gradients_are_float32(runs):
    x, w = torch.randn(2, 8, 9, 7, requires_grad=True), torch.randn(8, 6, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.float16):
        y = F.conv_transpose2d(x, w, stride=2)
        assert tconv.torch.plan(x, w, stride=2).by == "tconv"
    assert runs == [torch.float16]
    dx, dw = torch.autograd.grad(y.float().square().sum(), (x, w))
    assert dx.dtype is dw.dtype is torch.float32
    a, b = (t.detach().half().double().requires_grad_() for t in (x, w))
    expected = torch.autograd.grad(torch.conv_transpose2d(a, b, None, 2).square().sum(), (a, b))
    for mine, wanted in zip((dx, dw), expected, strict=True):
        assert (mine.double() - wanted).abs().max() < 5e-3 * wanted.abs().max()


def test_what_is_wrong_is_said_of_the_dtype_that_was_given():
    x, w = torch.randn(1, 4, 5, 5).half(), torch.randn(4, 6, 3, 3).half()
    with pytest.raises(RuntimeError, match=r"groups must divide .*; got 3\n  called with input=float16"):
        F.conv_transpose2d(x, w, groups=3)
    with pytest.raises(RuntimeError, match="bias must have the dtype of input, float16; got float32"):
        F.conv_transpose2d(x, w, torch.zeros(6))


def test_who_computes_bfloat16(monkeypatch):
    """By measurements on a processor with instructions for it; without them it is as float16."""
    monkeypatch.setattr(choice, "TINY", 10_000)
    monkeypatch.setattr(choice, "SHORT", 250)
    engine._calls.clear()

    def by(channels, size, groups=1, grad=False):
        engine._calls.clear()
        x = torch.zeros(1, channels, size, size, dtype=torch.bfloat16, requires_grad=grad)
        w = torch.zeros(channels, channels // groups, 4, 4, dtype=torch.bfloat16)
        return tconv.torch.plan(x, w, stride=2, padding=1, groups=groups).by

    monkeypatch.setattr(halves, "BY_ONEDNN", frozenset(HALVES))
    assert by(64, 64) == "torch"
    assert (by(16, 16), by(16, 16, grad=True)) == ("tconv", "torch")
    assert (by(64, 64, groups=64), by(64, 64, groups=64, grad=True)) == ("tconv", "tconv")
    monkeypatch.setattr(halves, "BY_ONEDNN", frozenset())
    assert (by(64, 64), by(64, 64, grad=True)) == ("tconv", "tconv")
    assert (by(4, 2), by(16, 4, grad=True)) == ("torch", "torch")
    engine._calls.clear()


def test_compiled_float16_is_the_engines(runs, monkeypatch):
    monkeypatch.setattr(halves, "BY_ONEDNN", frozenset())
    x, w = torch.randn(1, 4, 5, 6).half(), torch.randn(4, 6, 3, 3).half()
    compiled = torch.compile(lambda x, w: F.conv_transpose2d(x, w, stride=2), backend="aot_eager", fullgraph=True)
    rounded_once(compiled(x, w), torch.conv_transpose2d(x.double(), w.double(), None, 2), torch.float16)
    assert runs == [torch.float16]


def test_accelerate_takes_float16(all_win):
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(4, 6, 3, 2)).half().eval()
    with torch.no_grad():
        model, report = tconv.torch.accelerate(model, torch.randn(1, 4, 5, 6).half())
    assert report.changed == 1, report
