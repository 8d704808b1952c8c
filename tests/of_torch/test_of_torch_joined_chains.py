"""Runs that forward methods call one by one: in one call, or as the methods are written where somebody could tell."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import ClassVar
from weakref import WeakValueDictionary

import pytest
import torch
import torch.nn.functional as F
from accelerated_models import kept
from copies import pickled
from joined import BasicParts, X, accelerated, check
from registry import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations

from tconv.torch import classes, restore
from tconv.torch.fusing import chains

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


class Basic(BasicParts):
    """The block of a ResNet."""

    def __init__(self):
        super().__init__(channels=3)
        self.seen = []

    def forward(self, x, scale: float = 1.0, *, residual=True):
        """The text of a method may have
        more than one line.
        """
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)

        out = self.conv2(out)
        out = self.bn2(out)
        self.seen.append(len(out))
        if residual:
            identity = self.downsample(x)
            out += identity
        return self.relu(out) * scale


class Functional(nn.Module):
    """Calls in each other, and functions."""

    def __init__(self):
        super().__init__()
        self.up, self.norm = nn.ConvTranspose2d(3, 4, 2, 2), nn.BatchNorm2d(4)
        self.parts = nn.ModuleDict({"last": nn.Conv2d(4, 2, 3)})

    def forward(self, x):
        if x.shape[0] > 1:
            x = F.relu(self.norm(self.up(x)))
        else:
            x = self.up(x)
            x = torch.tanh(self.norm(x))
        x = self.parts.last(x)
        return torch.sigmoid(x)


def test_the_block_of_a_resnet(fused):
    model, twin, report = accelerated(Basic(), X)
    assert [run.members for run in report.runs] == [("conv1", "bn1", "relu"), ("conv2", "bn2"), ("0", "1")]
    assert kept(model) == ["", "conv1", "conv2", "downsample", "downsample.0"]
    check(model, twin, X)
    assert fused[-3:] == [3, 2, 2]
    check(model, twin, X, scale=2.0, residual=False)
    assert fused[-2:] == [3, 2]
    assert isinstance(model, Basic)
    assert repr(model) == repr(twin)
    model.seen.clear()
    check(model, twin, X, times=2)
    assert model.seen == [2, 2]  # what a method does elsewhere, it does in every call
    assert inspect.signature(model.forward) == inspect.signature(twin.forward)
    assert (type(model).__name__, type(model).forward.__doc__) == ("Basic", Basic.forward.__doc__)
    restore(model)
    assert type(model) is Basic
    check(model, twin, X)


def test_calls_in_each_other_and_functions(fused):
    model, twin, report = accelerated(Functional(), X)
    assert [run.kinds for run in report.runs] == [("ConvTranspose2d", "BatchNorm2d", "ReLU"), ("Conv2d", "Sigmoid")]
    check(model, twin, X)
    assert fused[-2:] == [3, 2]
    check(model, twin, X[:1])
    assert fused[-2:] == [3, 2]


class Direct(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.norm = nn.ConvTranspose2d(3, 4, 2, 2), nn.BatchNorm2d(4)

    def forward(self, x):
        return F.relu(self.norm(self.up(x)))


def test_functions_are_part_of_a_run(fused):
    model, twin, report = accelerated(Direct(), X)
    assert [(run.members, run.sequence) for run in report.runs] == [(("up", "norm", "relu"), "")]
    check(model, twin, X)
    assert fused[-2:] == [3, 3]


def test_training_gradients_and_hooks(fused):
    model, twin, _ = accelerated(Basic(), X)
    check(model, twin, X)
    fused.clear()
    for each in (model, twin):
        each.train()
        each(X).square().mean().backward()
        each.eval()
    assert not any(fused)
    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-4)
    for found, expected in zip(model.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(found, expected)
    seen = {id(model): [], id(twin): []}
    for each in (model, twin):
        each.bn1.register_forward_hook(lambda module, x, y, each=each: seen[id(each)].append((x[0], y.clone())))
    check(model, twin, X, times=1)
    torch.testing.assert_close(*seen.values(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_copies(copied, fused):
    model, twin, _ = accelerated(Basic(), X)
    again = copied(model)
    assert type(again) is type(model)
    check(again, twin, X)
    assert fused[-3:] == [3, 2, 2]
    assert type(restore(again)) is Basic


def test_a_method_whose_source_is_not_there_is_as_it_was(fused, monkeypatch):
    model, twin, _ = accelerated(Basic(), X)
    whole = pickle.dumps(model)
    monkeypatch.setattr(chains, "chained", lambda *given: None)
    monkeypatch.setattr(classes, "_made", WeakValueDictionary())  # as in another process
    again = pickle.loads(whole)
    assert type(again).forward is Basic.forward
    check(again, twin, X)
    assert type(restore(again)) is Basic


class Keeping(Direct):
    """A module with an attribute of a name that layers of tconv use."""

    def __init__(self):
        super().__init__()
        self._kept = "mine"


def test_attributes_of_others(fused):
    model, twin, _ = accelerated(Keeping(), X)
    check(model, twin, X)
    assert fused[-1] == 3
    assert model._kept == "mine"
    assert vars(restore(model)).keys() == vars(twin).keys()
    assert model._kept == "mine"


def test_compiled(fused):
    model, twin, _ = accelerated(Direct(), X)
    check(model, twin, X)
    number = len(fused)
    check(torch.compile(model, backend="eager", fullgraph=True), twin, X, times=2)
    assert len(fused) == number


def test_traced(fused):
    model, twin, _ = accelerated(nn.Sequential(Direct(), nn.Sequential(nn.Conv2d(4, 2, 1), nn.ELU())), X)
    check(model, twin, X)
    fused.clear()
    whole, part = torch.fx.symbolic_trace(model), torch.fx.symbolic_trace(model[0])
    check(whole, twin, X)
    check(part, twin[0], X)
    with torch.no_grad():
        check(torch.jit.trace(model, X, check_trace=False), twin, X)
    assert not any(fused)


def test_layers_that_are_parametrized_or_replaced(fused):
    model, twin, _ = accelerated(Basic(), X)
    for each in (model, twin):
        torch.manual_seed(0)
        parametrizations.weight_norm(each.conv1)
        each.bn2 = nn.Identity()
        each.relu = nn.Tanh()
    check(model, twin, X)
    assert fused[-1] == 2  # that of `downsample` alone


def test_layers_that_pad_in_another_way(fused):
    model, twin, _ = accelerated(Basic(), X)
    for each in (model, twin):

        def around(x, w, bias):
            return F.conv2d(F.pad(x, (1, 1, 1, 1), "circular"), w, bias)

        each.conv1._conv_forward = around
    check(model, twin, X)
    assert fused[-2:] == [2, 2]
    for each in (model, twin):
        del each.conv1._conv_forward
    check(model, twin, X)
    assert fused[-3:] == [3, 2, 2]


class Registered(nn.Module):
    kinds: ClassVar = {}

    def __init_subclass__(cls, /, word):
        super().__init_subclass__()
        cls.kinds[word] = cls


class InRegister(Registered, word="mine"):
    def __init__(self):
        super().__init__()
        self.conv, self.up = nn.Conv2d(3, 3, 3, padding=1), Calls()

    def forward(self, x):
        return self.up(F.relu(self.conv(x)))


class Calls(Registered, word="calls"):
    def forward(self, x):
        return F.conv_transpose2d(x, x.new_ones(3, 2, 2, 2))


def test_classes_that_know_who_inherits_from_them(fused):
    known = dict(Registered.kinds)
    model, twin, report = accelerated(InRegister(), X)
    assert [run.members for run in report.runs] == [("conv", "relu")]
    assert Registered.kinds == known
    assert [isinstance(model, InRegister), type(model) is InRegister, type(model.up) is Calls] == [True, False, False]
    check(model, twin, X)
    assert fused[-1] == 2
    assert type(restore(pickled(model))) is InRegister
