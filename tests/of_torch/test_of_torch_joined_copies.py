"""Sequences whose runs are computed in one call are what they were: copied, pickled, restored, scripted, streamed."""

from __future__ import annotations

import copy

import pytest
import torch
from accelerated_models import kept
from copies import pickled, saved
from joined import X, accelerated, check, decoder
from registry import needs_kernels
from torch import nn

import tconv.torch
from tconv.torch import accelerate, restore

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda m: pickled(m, 0), lambda m: pickled(m, 5), saved])
def test_copies(copied, fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    again = copied(model)
    assert type(again) is type(model)
    assert kept(again) == kept(model)
    check(again, twin, X)
    assert fused[-2:] == [3, 3]
    assert kept(restore(again)) == []
    assert type(again) is nn.Sequential


def test_restored():
    model, twin, _ = accelerated(decoder(), X)
    assert kept(model) == ["", "0", "3", "6"]
    assert isinstance(model, nn.Sequential)
    assert repr(model) == repr(twin)
    check(model, twin, X)
    restore(model)
    assert [type(module) for module in model.modules()] == [type(module) for module in twin.modules()]
    assert [set(vars(module)) for module in model.modules()] == [set(vars(module)) for module in twin.modules()]
    with torch.no_grad():
        assert model(X).equal(twin(X))
    accelerate(model, X)
    accelerate(model, X)
    assert kept(model) == ["0", "3", "6"]  # gradients are recorded: no runs


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_scripts_want_it_restored():
    model, _, _ = accelerated(decoder(), X)
    with pytest.raises(RuntimeError, match=r"call tconv\.torch\.restore"):
        torch.jit.script(model)


def test_streamed():
    model = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU(), nn.ConvTranspose1d(4, 2, 2, 2), nn.Tanh())
    x = torch.randn(1, 3, 12)
    model, twin, _ = accelerated(model, x)
    with torch.no_grad():
        stream = tconv.torch.stream(model)
        pieces = [stream.push(x[..., :5]), stream.flush(x[..., 5:])]
        torch.testing.assert_close(torch.cat(pieces, -1), twin(x))


class Block(nn.Sequential):
    """As torchvision's: a class of its own, and the forward method of a sequence."""

    def __init__(self, channels, out):
        super().__init__(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
        self.out = out


class Own(Block):
    """A sequence that does something else."""

    def forward(self, x):
        return super().forward(x) + 1


def test_subclasses_of_sequences(fused):
    model, twin, _ = accelerated(nn.Sequential(Block(3, 4), Own(4, 4)), X)
    check(model, twin, X)
    assert fused[-1]
    assert kept(model) == ["0", "0.0", "1.0"]
    assert isinstance(model[0], Block)
    assert pickled(model)[0].out == 4
