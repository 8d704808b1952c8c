"""What is so small that PyTorch is done sooner is PyTorch's, with the same results; `plan` says so."""

import pytest
import torch
from torch_pairs import close, grid, pair

import tconv.torch
from tconv.torch import choice, engine
from tconv.torch.gradients import ConvTranspose


@pytest.fixture(autouse=True)
def as_it_is(monkeypatch):
    monkeypatch.setattr(choice, "TINY", 6_000)
    monkeypatch.setattr(choice, "SHORT", 250)
    engine._calls.clear()
    yield
    engine._calls.clear()


def by(layer, x):
    return tconv.torch.plan(x, layer.weight, layer.bias, layer.stride, layer.padding).by


@pytest.mark.parametrize(
    ("size", "without", "recorded"), [(2, "torch", "torch"), (32, "tconv", "torch"), (512, "tconv", "tconv")]
)
def test_small_calls_are_pytorchs(size, without, recorded):
    theirs, ours = pair(2, {"kernel_size": 4, "stride": 2, "padding": 1})
    x = torch.randn(1, 4, size, size)
    assert by(ours, x) == recorded
    assert isinstance(ours(x).grad_fn, ConvTranspose._backward_cls) == (recorded == "tconv")
    with torch.no_grad():
        assert by(ours, x) == without
        close(ours(x), theirs(x))
        assert bool(ours._kept) == (without == "tconv")


@pytest.mark.parametrize("padding", [1, ((0, 1), (1, 0))])
def test_small_calls_and_their_derivatives(padding):
    layer = tconv.torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=padding)
    x = grid(2).requires_grad_()
    y = layer(x)
    found = torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "SHORT", 0)
        engine._calls.clear()
        assert isinstance(layer(x).grad_fn, ConvTranspose._backward_cls)
        expected = torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)
