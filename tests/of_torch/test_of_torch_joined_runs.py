"""Convolutions computed in one call with the normalization and the activation behind them: equal, whatever they are."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from accelerated_models import kept
from joined import X, accelerated, check, decoder
from registry import needs_kernels
from torch import nn

from tconv.torch.fusing import runs

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

CONVOLUTIONS = {
    "conv1d": lambda: nn.Conv1d(4, 6, 3, 2, padding=1),
    "conv1d, same": lambda: nn.Conv1d(4, 6, 4, padding="same"),
    "conv2d": lambda: nn.Conv2d(4, 6, (3, 1), (1, 2), groups=2, bias=False),
    "conv2d, depthwise": lambda: nn.Conv2d(4, 4, 3, dilation=2, padding=2, groups=4),
    "conv3d": lambda: nn.Conv3d(4, 1, 2),
    "conv_transpose1d": lambda: nn.ConvTranspose1d(4, 6, 2, 3, output_padding=2),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(4, 6, 4, 2, 1, bias=False),
    "conv_transpose2d, groups": lambda: nn.ConvTranspose2d(4, 6, 3, dilation=2, groups=2),
    "conv_transpose3d": lambda: nn.ConvTranspose3d(4, 3, 2, 2),
}
#: Beside none, which is not a module.
ACTIVATIONS = {
    nn.ReLU: lambda channels: nn.ReLU(inplace=True),
    nn.LeakyReLU: lambda channels: nn.LeakyReLU(0.2, inplace=True),
    nn.PReLU: lambda channels: nn.PReLU(channels),
    nn.ELU: lambda channels: nn.ELU(0.5),
    nn.SiLU: lambda channels: nn.SiLU(),
    nn.GELU: lambda channels: nn.GELU("tanh"),
    nn.Tanh: lambda channels: nn.Tanh(),
    nn.Sigmoid: lambda channels: nn.Sigmoid(),
}
FOLLOWERS = [(norm, kind) for norm in (False, True) for kind in (None, *ACTIVATIONS) if norm or kind]


def sequence(conv, norm, activation, affine=True):
    ndim, channels = len(conv.kernel_size), conv.out_channels
    modules = [conv, *([getattr(nn, f"BatchNorm{ndim}d")(channels, affine=affine)] if norm else [])]
    return nn.Sequential(*modules, *([ACTIVATIONS[activation](channels)] if activation else []))


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_all_kinds(name, fused):
    for number, ((norm, activation), dtype) in enumerate(itertools.product(FOLLOWERS, (torch.float32, torch.float64))):
        model = sequence(CONVOLUTIONS[name](), norm, activation, affine=number % 3 > 0).to(dtype)
        sizes = (7, 1, 6)[-len(model[0].kernel_size) :] if number % 2 else (5, 6, 9)[: len(model[0].kernel_size)]
        if "conv2d" in name or "3d" in name:
            sizes = (5, 6, 9)[: len(sizes)]
        x = torch.randn(number % 4 // 2 + 1, 4, *sizes, dtype=dtype)
        model, twin, _ = accelerated(model, x)
        expected = copy.deepcopy(twin).double()(x.double())
        assert kept(model)[0] == ""
        fused.clear()
        with torch.no_grad():
            results = [model(x) for _ in range(3)]
        assert fused == [0, len(model), len(model)], (norm, activation)
        tolerance = 1e-5 if dtype is torch.float32 else 1e-12
        for result in results:
            torch.testing.assert_close(result.double(), expected, rtol=tolerance, atol=tolerance)
            assert result.dtype is dtype
            assert result.stride() == twin(x).stride()


def test_registries_are_complete():
    assert set(ACTIVATIONS) == set(runs.ACTIVATIONS)
    assert {type(make()) for make in CONVOLUTIONS.values()} <= set(runs.CONVOLUTIONS)
    assert len(runs.CONVOLUTIONS) == 18


@pytest.mark.parametrize("where", ["x", "w", "view"])
def test_layouts(where, fused):
    model, twin, _ = accelerated(decoder(), X)
    x = X.to(memory_format=torch.channels_last) if where == "x" else X.flip(-1)[..., ::2] if where == "view" else X
    if where == "w":
        for each in (model, twin):
            each.to(memory_format=torch.channels_last)
    check(model, twin, x)
    assert fused[-2:] == [3, 3]


def test_one_slope_for_all_channels(fused):
    model, twin, _ = accelerated(nn.Sequential(nn.Conv2d(3, 4, 1), nn.PReLU()), X)
    check(model, twin, X)
    assert fused[-1]


@pytest.mark.parametrize(
    "x", [X[:0], X[0], X[:1].expand(3, 3, 6, 5), torch.full_like(X, torch.nan), torch.full_like(X, torch.inf)]
)
def test_edges(x):
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(5, 2, 2, 2), nn.SiLU())
    model, twin, _ = accelerated(model, X)
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(model(x), twin(x), equal_nan=True)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(("channels", "size"), [(1, (5, 6)), (6, (1, 1))])
def test_what_is_contiguous_in_either_format_lies_as_that_of_modules(channels, size, norm, activation):
    """A view of what follows depends on it: channels last it fails."""
    x = torch.randn(2, 4, *size)
    model = nn.Sequential(sequence(nn.Conv2d(4, channels, 1), norm, activation), nn.Conv2d(channels, 3, 1))
    model, twin, _ = accelerated(model, x)
    check(model, twin, x)
    check(model, twin, x.to(memory_format=torch.channels_last))


@pytest.mark.parametrize(("name", "value"), [("0.weight", torch.nan), ("1.running_var", -1.0), ("1.weight", torch.inf)])
def test_weights_that_are_no_numbers(name, value, fused):
    model, twin, _ = accelerated(decoder(), X)
    for each in (model, twin):
        each.state_dict()[name].view(-1)[0] = value
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(model(X), twin(X), equal_nan=True, rtol=1e-4, atol=1e-5)
    assert fused[-2:] == [0, 3]
