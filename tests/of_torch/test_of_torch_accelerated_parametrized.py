"""Accelerated layers whose weights are computed: weight_norm and parametrizations, which come and go."""

from __future__ import annotations

import pytest
import torch
from accelerated_models import Cropped, Doubled, kept
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from tconv.torch import accelerate, accelerated, restore

pytestmark = pytest.mark.usefixtures("all_win")


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_weight_norm_as_hooks():
    model = nn.Sequential(torch.nn.utils.weight_norm(nn.ConvTranspose1d(4, 3, 4, 2)))
    x = torch.randn(1, 4, 6)
    expected = model(x)
    model, report = accelerate(model.train(), x)
    assert kept(model) == ["0"]
    assert report.trains
    torch.testing.assert_close(model(x), expected)
    model[0].weight_g.data.mul_(2)
    torch.testing.assert_close(model(x), 2 * expected - model[0].bias[:, None])
    torch.nn.utils.remove_weight_norm(model[0])
    torch.testing.assert_close(model(x), 2 * expected - model[0].bias[:, None])
    assert type(restore(model)[0]) is nn.ConvTranspose1d


def test_parametrizations_come_and_go():
    model, x = nn.Sequential(nn.ConvTranspose1d(4, 3, 4, 2, bias=False)), torch.randn(1, 4, 6)
    expected = model(x)
    parametrize.register_parametrization(model[0], "weight", Doubled())
    before = type(model[0])
    accelerate(model, x)
    assert parametrize.type_before_parametrizations(model[0]) is accelerated.ConvTranspose1d
    torch.testing.assert_close(model(x), 2 * expected)
    assert type(restore(model)[0]) is before
    accelerate(model, x)
    parametrize.remove_parametrizations(model[0], "weight", leave_parametrized=False)
    assert kept(model) == ["0"]
    torch.testing.assert_close(model(x), expected)
    parametrize.register_parametrization(model[0], "weight", Doubled())  # on what is accelerated
    torch.testing.assert_close(model(x), 2 * expected)
    restore(model)
    assert parametrize.type_before_parametrizations(model[0]) is nn.ConvTranspose1d
    torch.testing.assert_close(model(x), 2 * expected)
    parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is nn.ConvTranspose1d


def test_parametrizations_added_in_between_stay():
    model, x = nn.Sequential(parametrizations.weight_norm(nn.ConvTranspose1d(4, 3, 4, 2))), torch.randn(1, 4, 6)
    accelerate(model, x)
    parametrize.register_parametrization(model[0], "bias", Doubled())
    expected = model(x)
    restore(model)
    assert parametrize.is_parametrized(model[0], "bias")
    torch.testing.assert_close(model(x), expected)


def test_parametrized_layers_with_a_forward_of_their_own():
    model, x = nn.Sequential(parametrizations.weight_norm(Cropped(4, 3, 4, 2))), torch.randn(1, 4, 6)
    expected, before = model(x), type(model[0])
    accelerate(model, x)
    assert kept(model) == ["0"]
    torch.testing.assert_close(model(x), expected)
    assert type(restore(model)[0]) is before
    accelerate(model, x)
    parametrize.remove_parametrizations(model[0], "weight")
    assert kept(model) == ["0"]
    torch.testing.assert_close(model(x), expected)
    assert type(restore(model)[0]) is Cropped
