"""What `accelerate` leaves as it found it: buffers, attributes, chance, gradients, graphs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerated_models import kept
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from tconv.torch import accelerate

pytestmark = pytest.mark.usefixtures("all_win")


class Restless(nn.Module):
    """Whatever a forward method may change, and all kinds of chance."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.spectral = parametrizations.spectral_norm(nn.ConvTranspose1d(4, 4, 2))
        self.up = nn.ConvTranspose1d(4, 4, 2)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("largest", torch.full((), torch.nan))
        self.steps = 0

    def forward(self, x):
        self.steps += 1
        self.seen = self.seen + 1
        self.largest.copy_(x.max())
        self.cache = x
        if not hasattr(self, "grown"):
            self.grown = nn.Linear(2, 2)
            self.norm.register_forward_hook(lambda module, args, result: result + 1)
        noise = float(np.random.default_rng(0).random() + np.random.rand()) + torch.rand(())  # noqa: NPY002
        return F.dropout(self.up(self.spectral(self.norm(x))), training=self.training) * noise


@pytest.mark.parametrize("raises", [False, True])
def test_nothing_of_the_example_stays(raises):
    model, x = Restless().train(), torch.randn(3, 4, 5)
    if raises:
        model.up.register_forward_hook(lambda *args: 1 / 0)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    versions = [parameter._version for parameter in model.parameters()]
    buffer, names = model.seen, set(vars(model))
    chance = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    try:
        accelerate(model, x)
    except ZeroDivisionError:
        assert raises
    assert kept(model) == ([] if raises else ["spectral", "up"])
    assert (model.steps, set(vars(model)), model.seen is buffer) == (0, names, True)
    assert not model.norm._forward_hooks
    assert model.state_dict().keys() == state.keys()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0, equal_nan=True)
    assert [parameter._version for parameter in model.parameters()] == versions
    assert torch.equal(torch.get_rng_state(), chance[0])
    assert np.array_equal(np.random.get_state()[1], chance[1])  # noqa: NPY002
    assert all(parameter.grad is None for parameter in model.parameters())


def test_graphs_from_before_can_still_be_differentiated():
    model, x = nn.Sequential(nn.ConvTranspose1d(4, 4, 2), nn.BatchNorm1d(4)).train(), torch.randn(3, 4, 5)
    loss = model(x).square().sum()
    accelerate(model, x)
    loss.backward()


def test_checkpoints_do_not_see_what_is_measured():
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Sequential(nn.ConvTranspose1d(4, 4, 2), nn.Tanh())

        def forward(self, x):
            return torch.utils.checkpoint.checkpoint(self.up, x, use_reentrant=False)

    model, x = Checkpointed().train(), torch.randn(3, 4, 5, requires_grad=True)
    expected = model(x)
    _, report = accelerate(model, x)
    assert report.whole.before is not None
    torch.testing.assert_close(*torch.autograd.grad(model(x).sum(), x), *torch.autograd.grad(expected.sum(), x))


def test_what_is_measured_leaves_the_rest_of_the_model_its_result():
    class Checks(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose1d(4, 4, 2)
            self.results = []

        def forward(self, x):
            self.results.append(self.up(x))
            return self.results[-1]

    model, x = Checks().train(), torch.randn(3, 4, 5)
    accelerate(model, x)
    torch.testing.assert_close(model.results[0], model(x))
    assert model.results[0].requires_grad
