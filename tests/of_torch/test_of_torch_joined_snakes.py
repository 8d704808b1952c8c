"""Snake with two parameters, as BigVGAN and its descendants have it: what is taken for it, and what it computes."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pytest
import torch
from copies import pickled
from joined import accelerated, check, check_gradients
from registry import needs_kernels
from torch import nn

from tconv.torch import restore
from tconv.torch.fusing import snakes

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


class Logarithms(nn.Module):
    """As Qwen2.5-Omni has it."""

    def __init__(self, channels=4):
        super().__init__()
        self.in_features = channels
        self.alpha, self.beta = (nn.Parameter(torch.randn(channels) / 2) for _ in range(2))
        self.no_div_by_zero = 0.000000001

    def forward(self, hidden_states):
        alpha = torch.exp(self.alpha.unsqueeze(0).unsqueeze(-1))
        beta = torch.exp(self.beta.unsqueeze(0).unsqueeze(-1))
        return hidden_states + (1.0 / (beta + self.no_div_by_zero)) * torch.pow(torch.sin(hidden_states * alpha), 2)


class Either(nn.Module):
    """As BigVGAN and Oobleck have it: a number of the module says which."""

    def __init__(self, channels=4, logscale=True):
        super().__init__()
        self.alpha, self.beta = (nn.Parameter(torch.rand(1, channels, 1) + 0.2) for _ in range(2))
        self.logscale = logscale

    def forward(self, x):
        alpha = self.alpha if not self.logscale else torch.exp(self.alpha)
        beta = self.beta if not self.logscale else torch.exp(self.beta)
        return x + (beta + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)


KINDS = {
    "exp": type("SnakeBeta", (Logarithms,), {"forward": Logarithms.forward}),
    "either": type("Snake1d", (Either,), {"forward": Either.forward}),
}


for made in KINDS.values():  # pickles find classes by name
    globals()[made.__name__] = made
    made.__qualname__, made.__module__ = made.__name__, __name__


MODULES = {"exp": KINDS["exp"], "log": KINDS["either"], "plain": lambda n=4: KINDS["either"](n, logscale=False)}
every_module = pytest.mark.parametrize("name", MODULES)
X = torch.randn(2, 4, 37, generator=torch.Generator().manual_seed(0))
#: There is nothing that later calls would find packed.
once = partial(check, times=1)


def posed(name, channels=4):
    return accelerated(nn.Sequential(MODULES[name](channels), nn.Conv1d(channels, 3, 3)), torch.randn(2, channels, 37))


@every_module
def test_it_is_computed_by_a_kernel(name, by_kernel):
    model, twin, report = posed(name)
    assert [(module.name, module.kept) for module in report.modules] == [("0", True)]
    by_kernel.clear()
    cut = torch.randn(1, 4, 60)[..., 7:-9]
    for x in (X, X[:1, :, :1], torch.randn(3, 4, 4099), cut):
        once(model[0], twin[0], x)
    assert by_kernel == [True] * 4
    for x in (X[:, :, ::2], X.transpose(0, 1).contiguous().transpose(0, 1), X[:0], X.double()):
        once(model[0], twin[0], x)
    assert by_kernel[4:] == [False] * 4
    for each in (model, twin):
        each[0].alpha.data.mul_(1.5)
        each[0].beta.data.add_(0.3)
    once(model, twin, X)
    again = pickled(copy.deepcopy(model))
    once(again, twin, X)
    assert type(restore(again)[0]) is type(twin[0])


@every_module
@pytest.mark.parametrize("channels", [1, 17])
def test_against_the_definition(name, channels):
    model, twin, _ = posed(name, channels)
    x = torch.randn(2, channels, 100) * 30
    a, b = (each.detach().double().numpy().reshape(-1, 1) for each in (twin[0].alpha, twin[0].beta))
    if name != "plain":
        a, b = np.exp(a), np.exp(b)
    wide = x.double().numpy()
    expected = wide + np.sin(a * wide) ** 2 / b
    with torch.no_grad():
        np.testing.assert_allclose(model[0](x).numpy(), expected, rtol=1e-5, atol=1e-4)


def test_a_beta_of_zero():
    model, twin, _ = posed("plain")
    for each in (model, twin):
        each[0].beta.data.zero_()
    with torch.no_grad():
        torch.testing.assert_close(model[0](X), twin[0](X), rtol=1e-4, atol=1.0)


def test_a_number_that_changes(by_kernel):
    model, twin, _ = posed("log")
    for each in (model, twin):
        each[0].logscale = False
    once(model, twin, X)
    assert by_kernel[-1]
    for each in (model, twin):
        each[0].logscale = [1]
    once(model, twin, X)
    assert not by_kernel[-1]


@every_module
def test_gradients_and_training(name, by_kernel):
    model, twin, _ = posed(name)
    by_kernel.clear()
    check_gradients(model, twin, X)
    model.train()
    once(model, twin, X)
    assert by_kernel == [False, False]


def of(forward, **attributes):
    """A module that is called so, with another forward method."""
    module = type("SnakeBeta", (Logarithms,), {"forward": forward})().eval()
    for name, value in attributes.items():
        setattr(module, name, value)
    return module


def swapped(self, x):
    return x + torch.sin(self.beta.exp()[:, None] * x) ** 2 / self.alpha.exp()[:, None]


def of_one(self, x):
    return x + torch.sin(self.alpha.exp()[:, None] * x) ** 2 / self.alpha.exp()[:, None]


def half_of_it(self, x):
    return x + 0.5 * torch.sin(self.alpha.exp()[:, None] * x) ** 2 / self.beta.exp()[:, None]


def in_place(self, x):
    return x.add_(torch.sin(self.alpha.exp()[:, None] * x) ** 2 / self.beta.exp()[:, None])


def fails(self, x):
    raise ValueError("no")


def with_another_term(self, x):
    return x + torch.sin(self.alpha.exp()[:, None] * x) ** 2 / (self.beta.exp()[:, None] + 1e-6)


def without_a_term(self, x):
    return x + torch.sin(self.alpha.exp()[:, None] * x) ** 2 / self.beta.exp()[:, None]


def of_beta_within_limits(self, x):
    return Logarithms.forward(self, x) if self.beta.min() > -10 else x


def of_x_within_limits(self, x):
    return Logarithms.forward(self, x.clamp(-100, 100))


def counting(self, x):
    self.in_features += 1
    return Logarithms.forward(self, x)


@pytest.mark.parametrize(
    "module",
    [of(swapped), of(of_one), of(half_of_it), of(in_place), of(fails), of(Logarithms.forward, more=nn.Identity()),
     of(with_another_term), of(without_a_term), of(of_beta_within_limits), of(of_x_within_limits), of(counting),
     of(Logarithms.forward, in_features="4"), of(Logarithms.forward, beta=nn.Parameter(torch.ones(3))),
     of(Logarithms.forward).double(), of(Logarithms.forward).train(), Logarithms().eval()],
)  # fmt: skip
def test_what_is_something_else(module):
    assert not snakes.is_snake_beta(module)
    assert not snakes.is_snake(module)


def test_words_and_objects_that_a_method_may_read_elsewhere():
    module = MODULES["exp"]().eval()
    assert snakes.is_snake_beta(module)
    module._wave = "sin"
    assert not snakes.is_snake_beta(module)


def test_a_number_that_changes_in_every_call_is_not_remembered_for_ever():
    module = MODULES["exp"]().eval()
    for module.step in range(3 * snakes._MOST_KNOWN):
        assert snakes.is_snake_beta(module)
    assert len(snakes._known[type(module)]) <= snakes._MOST_KNOWN


@pytest.mark.parametrize("name", ["alpha", "beta"])
@pytest.mark.parametrize("value", [-100.0, -40.0, -20.0, 100.0, np.nan, np.inf, -np.inf])
def test_parameters_without_limits(name, value, by_kernel):
    model, twin, _ = posed("log")
    for each in (model, twin):
        getattr(each[0], name).data[:, 1] = value
    by_kernel.clear()
    with torch.no_grad():
        torch.testing.assert_close(model[0](X), twin[0](X), rtol=1e-4, atol=1e-5, equal_nan=True)
    assert by_kernel == [True]


def test_a_method_that_reads_a_number_elsewhere():
    kind = type("SnakeBeta", (Either,), {"forward": Either.forward})
    kind.logscale = property(lambda self: self._said, lambda self, said: setattr(self, "_said", said))
    module, other = kind().eval(), kind(logscale=False).eval()
    assert snakes.is_snake_beta(module)
    assert snakes.is_snake_beta(other)
    _, share = snakes.factors(other, kind)
    torch.testing.assert_close(share, 1 / (other.beta.detach().view(-1) + 1e-9))
    kind.forward = lambda self, x: x
    assert not snakes.is_snake_beta(module)


@pytest.mark.parametrize("flattens", [False, True])
def test_axes_behind_channels(flattens, by_kernel):
    def forward(self, x):
        cells = x.flatten(2) if flattens else x
        return (cells + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * cells).pow(2)).view(x.shape)

    module = type("Snake1d", (nn.Module,), {"forward": forward})()
    module.alpha = nn.Parameter(torch.rand(1, 4, 1) + 0.2)
    model, twin, report = accelerated(nn.Sequential(module, nn.Conv1d(4, 3, 3)), X)
    assert report.modules[0].kept
    by_kernel.clear()
    for shape in ((2, 4, 9), (2, 4, 4, 5)):
        once(model[0], twin[0], torch.randn(shape))
    assert by_kernel == [True, flattens]
    assert snakes.has_any_axes(twin[0]) == flattens
    _, _, report = accelerated(nn.Sequential(nn.Conv2d(4, 4, 1), twin[0]), torch.randn(1, 4, 4, 4))
    assert [run.kinds for run in report.runs] == ([("Conv2d", "Snake1d")] if flattens else [])


def test_what_is_not_part_of_a_run():
    model, twin, report = accelerated(nn.Sequential(nn.Conv1d(4, 4, 3), KINDS["exp"]()), X)
    assert (report.runs, [module.name for module in report.modules]) == ((), ["1"])
    once(model, twin, X)
