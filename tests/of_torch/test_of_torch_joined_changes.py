"""What changes between calls of runs is noticed: tensors, attributes, modules; what no longer fits fails as before."""

from __future__ import annotations

import pytest
import torch
from joined import X, accelerated, check, decoder, drawn
from registry import needs_kernels
from torch import nn

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


@pytest.mark.parametrize(
    "name", ["0.weight", "1.running_mean", "1.running_var", "1.weight", "1.bias", "2.weight", "3.bias"]
)
def test_changes_of_every_tensor_are_noticed(name, fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    for change in (lambda t: t.data.mul_(1.5), lambda t: t.detach().numpy().__imul__(2)):
        for each in (model, twin):
            change(each.state_dict(keep_vars=True)[name])
        check(model, twin, X)
    assert fused[-2:] == [3, 3]


@pytest.mark.parametrize(("at", "name", "value"), [(1, "eps", 0.5), (5, "negative_slope", 0.7), (3, "padding", (0, 1))])
def test_so_are_those_of_attributes(at, name, value, fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    for each in (model, twin):
        setattr(each[at], name, value)
    check(model, twin, X)
    assert fused[-2:] == [3, 3]


def test_other_weights_are_loaded():
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    state = decoder().state_dict()
    for each in (model, twin):
        each.load_state_dict(state)
    check(model, twin, X)
    assert model.state_dict().keys() == twin.state_dict().keys()


def test_modules_may_be_replaced_removed_and_put_between(fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    middle = drawn(nn.BatchNorm2d(4))
    for each in (model, twin):
        each[1] = nn.Softplus()
        each[5] = nn.ReLU()
    fused.clear()
    check(model, twin, X)
    assert fused == [3] * 3  # of one run, with what was packed before
    for each in (model, twin):
        each.insert(4, nn.Dropout().eval())
    check(model, twin, X)
    for each in (model, twin):
        del each[4]
        each[4] = middle
    check(model, twin, X)
    assert fused[-1]
    check(model[3:], twin[3:], torch.randn(1, 5, 3, 4))


def test_what_does_not_fit_is_said_by_the_layers():
    model, twin, _ = accelerated(decoder(), X)
    for x in (torch.ones(2, 4, 6, 5), torch.ones(6, 5), torch.ones(2, 3, 6, 5, dtype=torch.float64), "x"):
        errors = []
        for each in (model, twin):
            with torch.no_grad(), pytest.raises((RuntimeError, TypeError, ValueError, AttributeError)) as caught:
                each(x)
            errors.append(caught.type)
        assert issubclass(errors[0], errors[1]) or issubclass(errors[1], errors[0])


@pytest.mark.parametrize("other", [nn.BatchNorm2d(7), nn.BatchNorm1d(5), nn.BatchNorm2d(5).double(), nn.PReLU(3)])
def test_followers_that_do_not_fit_fail_as_before(other):
    model, _, _ = accelerated(nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5)), X)
    model[1] = other.eval()
    with torch.no_grad(), pytest.raises((RuntimeError, ValueError)):
        model(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [("bias", torch.ones(2)), ("bias", torch.ones(5).double()), ("weight", torch.ones(5, 3, 1)), ("weight", None)],
)
def test_a_convolution_that_no_longer_fits_fails_as_before(name, value):
    model, twin, _ = accelerated(nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU()), X)
    check(model, twin, X)
    setattr(model[0], name, None if value is None else nn.Parameter(value))
    with torch.no_grad(), pytest.raises((RuntimeError, TypeError, ValueError)):
        model(X)
