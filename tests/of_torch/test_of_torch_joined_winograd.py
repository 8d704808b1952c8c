"""Runs whose convolution is by minimal filtering, with a residual, or a normalization that takes statistics."""

from __future__ import annotations

import copy

import pytest
import torch
import torch._inductor.config as inductor
from copies import pickled
from filtered import accelerate, apart, thrice
from joined import drawn
from registry import needs_kernels
from torch import nn

from tconv.jit.engine import Engine
from tconv.torch import accelerated, closing, restore
from tconv.torch.fusing import operators

pytestmark = [needs_kernels, pytest.mark.usefixtures("took")]

CHANNELS = 32
NORMS = {
    "instances": nn.InstanceNorm2d,
    "instances, learnt": lambda n: nn.InstanceNorm2d(n, affine=True),
    "groups": lambda n: nn.GroupNorm(4, n),
    "batches": nn.BatchNorm2d,
    "none": lambda n: nn.Identity(),
}
#: Those that the engine does as it stores a result: so it is given the residual.
IN_STORE = ("batches", "none")
every_norm = pytest.mark.parametrize("name", NORMS)


@pytest.fixture
def exact(monkeypatch):
    """How often minimal filtering met what is not finite."""
    found, run = [], Engine.run

    def watched(self, *given):
        whole = run(self, *given)
        if not whole:
            found.append(self)
        return whole

    monkeypatch.setattr(Engine, "run", watched)
    return found


class Block(nn.Module):
    """A residual is added before an activation, another behind, in place."""

    def __init__(self, norm):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), norm(CHANNELS)
        self.conv2, self.norm2 = nn.ConvTranspose2d(CHANNELS, CHANNELS, 3, padding=1), norm(CHANNELS)
        self.act = nn.PReLU(CHANNELS)

    def forward(self, x):
        y = self.act(self.norm1(self.conv1(x)) + x)
        z = self.conv2(y)
        z = self.norm2(z)
        z += x
        return z


class Added(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU()

    def forward(self, x, other):
        return self.act(self.conv(x) + other)


def posed(name):
    """A block as it was, and by minimal filtering; the report, and an input."""
    model, x = drawn(Block(NORMS[name])), torch.randn(2, CHANNELS, 18, 17)
    nn.init.uniform_(model.act.weight, -0.5, 0.5)
    return model, *accelerate(model, x), x


def by_the_definition(model, x):
    """A copy on the engine without filters."""
    return accelerate(model, x, winograd=False)[0]


@every_norm
def test_results(name, fused):
    model, twin, report, x = posed(name)
    assert all(layer.kept and layer.winograd for layer in report.layers)
    assert [(run.kept, run.winograd, run.in_store) for run in report.runs] == [(True, *[name in IN_STORE] * 2)] * 2
    assert all(type(m) in accelerated.FILTERED.values() for m in (twin.conv1, twin.conv2))
    wanted, found = thrice(model, x), thrice(twin, x)
    # The third call is one call for each run, the numbers being of members.
    assert fused[-2:] == [4, 3]
    assert apart(found, wanted) <= 1e-5
    assert not torch.equal(found, wanted)
    assert not torch.equal(found, thrice(by_the_definition(model, x), x))


@every_norm
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite(name, value, exact):
    """The convolution is computed once more by the definition, with the same residual, and then what is behind it."""
    model, twin, _, x = posed(name)
    before = thrice(twin, x)
    assert not exact
    spoiled = x.clone()
    spoiled[1, 5, 9, 8] = value
    wanted, found = thrice(model, spoiled), thrice(twin, spoiled)
    assert exact
    assert wanted.isnan().any() or value != torch.nan
    assert wanted[0].isfinite().all()
    assert torch.equal(found.isnan(), wanted.isnan())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert torch.equal(thrice(twin, x), before)


def test_a_residual_that_is_not_finite(exact):
    """It is added behind the transforms, to one element, and nothing is computed once more."""
    model = Added().eval()
    x, other = torch.randn(2, 1, CHANNELS, 16, 16)
    twin, report = accelerate(model, (x, other))
    assert [run.winograd for run in report.runs] == [True]
    for value in (torch.nan, torch.inf, -torch.inf):
        other[0, 3, 4, 5] = value
        found, wanted = thrice(twin, x, other), thrice(model, x, other)
        assert wanted.isfinite().sum() >= wanted.numel() - 1
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert not exact


@every_norm
def test_copies_pickles_and_restore(name):
    model, twin, _, x = posed(name)
    wanted = thrice(twin, x)
    restored = restore(copy.deepcopy(twin))
    assert [type(m) for m in restored.modules()] == [type(m) for m in model.modules()]
    assert torch.equal(thrice(restored, x), thrice(model, x))
    for same in (copy.deepcopy(twin), pickled(twin)):
        assert torch.equal(thrice(same, x), wanted)


@every_norm
def test_where_the_whole_model_differs_it_is_taken_back(name, monkeypatch):
    """Runs by the definition then, and runs of statistics behind convolutions by the definition."""
    judged = closing.judged

    def differs(results, expected, original):
        filtered = any(type(m) in accelerated.FILTERED.values() for m in original.run.model.modules())
        return ("its result differs", None) if filtered else judged(results, expected, original)

    monkeypatch.setattr(closing, "judged", differs)
    model, twin, report, x = posed(name)
    assert report.apart == "its result differs"
    assert all(found.kept and not found.winograd for found in report.found if found.kind != "PReLU")
    assert all(type(m) in accelerated.LAYERS.values() for m in (twin.conv1, twin.conv2))
    assert torch.equal(thrice(twin, x), thrice(by_the_definition(model, x), x))


@torch.no_grad()
def test_compiled(recorded):
    """What is by minimal filtering is so in a graph, with what follows, though Inductor could pack it."""
    filters = recorded(operators.RunCall, "__init__", lambda _, *given: given[-1])
    model, made, _, x = posed("none")
    filters.clear()
    operators._calls.clear()
    torch.compiler.reset()
    with inductor.patch(freezing=True):
        found = thrice(torch.compile(made, fullgraph=True, backend="aot_eager"), x)
    assert apart(found, thrice(model, x)) <= 1e-5
    assert filters == [True] * 2
