"""What an accelerated model still is: everything that it was before, with hooks, copies, tied weights and training."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
import torch
from accelerated_models import NAMES, Cropped, Everything, Functional, Plain, classes, everything, kept
from torch import nn

from tconv.torch import accelerate, restore
from tconv.torch import nn as ours

pytestmark = pytest.mark.usefixtures("all_win")


def test_all_kinds_and_back():
    model, x = everything()
    expected, before, state, said = model(x), classes(model), model.state_dict(), repr(model)
    objects = {name: id(module) for name, module in model.named_modules()}
    model, report = accelerate(model, x)
    assert kept(model) == NAMES == [layer.name for layer in report.layers]
    torch.testing.assert_close(model(x), expected)
    assert {name: id(module) for name, module in model.named_modules()} == objects
    assert repr(model) == said
    assert model.state_dict().keys() == state.keys()
    assert all(value.data_ptr() == state[name].data_ptr() for name, value in model.state_dict().items())
    assert isinstance(model.first, ours.ConvTranspose1d)
    assert isinstance(model.normed, nn.ConvTranspose1d)
    assert isinstance(model.cropped, Cropped)
    assert type(model.functional).__name__ == "Functional"
    attributes = {name: set(vars(module)) for name, module in Everything().named_modules()}
    assert restore(model) is model
    assert classes(model) == before
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    torch.testing.assert_close(model(x), expected, rtol=0, atol=0)


def test_a_second_time():
    model, x = everything()
    before = classes(model)
    accelerate(model, x)
    after = classes(model)
    _, report = accelerate(model, x)
    assert kept(model) == NAMES == [layer.name for layer in report.layers]
    assert [kind.__mro__[1:] for kind in classes(model)] == [kind.__mro__[1:] for kind in after]
    assert classes(restore(restore(model))) == before
    assert kept(accelerate(model, x)[0]) == NAMES


def test_copies_are_accelerated_and_can_be_restored():
    model, x = everything()
    before = classes(model)
    accelerate(model, x)
    with torch.no_grad():
        copied = copy.deepcopy(model)
        torch.testing.assert_close(copied(x), model(x))
    assert kept(copied) == NAMES
    copied.first.weight.data.zero_()
    assert model.first.weight.abs().sum() > 0
    assert copied.first.weight is copied.again.weight
    assert classes(restore(copied)) == before
    assert kept(model) == NAMES


def test_pickles_are_accelerated_and_can_be_restored(tmp_path):
    model, x = Plain(), torch.randn(1, 4, 8)
    before = classes(model)
    accelerate(model, x)
    torch.save(model, tmp_path / "model.pt")
    for loaded in (
        pickle.loads(pickle.dumps(model)),
        copy.copy(model),
        torch.load(tmp_path / "model.pt", weights_only=False),
    ):
        torch.testing.assert_close(loaded(x), model(x))
        assert kept(loaded) == ["up", "functional", "cropped"]
        assert classes(loaded) == classes(model)
    assert classes(restore(pickle.loads(pickle.dumps(model)))) == before
    fresh = Plain()
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x))
    model.load_state_dict(Plain().state_dict())
    assert kept(model) == ["up", "functional", "cropped"]


def test_signatures_stay():
    model, _ = accelerate(Functional(), torch.randn(1, 4, 9))
    assert list(inspect.signature(model.forward).parameters) == ["x", "scale"]
    assert type(model).forward.__doc__ == Functional.forward.__doc__
    assert inspect.getmodule(type(model)) is inspect.getmodule(Functional)


def test_hooks_stay(replaced):
    model, x = everything()
    seen = []
    model.first.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    model.functional.register_forward_hook(lambda module, args, result: seen.append(type(module)) or result * 3)
    expected = model(x)
    accelerate(model, x)
    seen.clear()
    torch.testing.assert_close(model(x), expected)
    assert len(seen) == 1
    assert all(len(module._forward_hooks) + len(module._forward_pre_hooks) <= 1 for module in model.modules())
    model.train().first.register_full_backward_hook(lambda module, dx, dy: seen.append(dy[0].shape))
    model(x.requires_grad_()).sum().backward()
    assert seen[-1] == (2, 4, 10)


def test_training_takes_the_same_steps():
    def trained(model):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        losses = []
        for step in range(4):
            x = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(step))
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    model = Everything().train()
    other = copy.deepcopy(model)
    accelerate(model, torch.randn(2, 4, 5))
    assert kept(model) == NAMES
    assert all(parameter.grad is None for parameter in model.parameters())
    assert trained(model) == pytest.approx(trained(other), rel=1e-5)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)
