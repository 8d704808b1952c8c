"""Runs whose convolution is by minimal filtering, with a residual, or a normalization that takes statistics."""

import copy
import pickle

import pytest
import torch
from registry import needs_kernels
from torch import nn

from tconv.jit.engine import Engine
from tconv.measuring.contest import ORIGINAL
from tconv.torch import accelerate, accelerated, both_ways, closing, restore
from tconv.torch.both_ways import OURS, WINOGRAD

pytestmark = needs_kernels

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


@pytest.fixture(autouse=True)
def filters_win(monkeypatch):
    """Minimal filtering is faster than the definition, and that than PyTorch; nothing is timed."""
    seconds = {ORIGINAL: 4.0, OURS: 2.0, WINOGRAD: 1.0}

    def in_turns(runs, first, effort, timer=None):
        return {name: [seconds[name]] * effort.rounds for name in runs}

    for who in (both_ways, closing):
        monkeypatch.setattr(who, "in_turns", in_turns)
    monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 0.0)


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
    """A block as it was, and by minimal filtering; an input."""
    model, x = Block(NORMS[name]).eval(), torch.randn(2, CHANNELS, 18, 17)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    with torch.no_grad():
        model.act.weight.uniform_(-0.5, 0.5)
        twin, report = accelerate(copy.deepcopy(model), x.clone(), layers="all", rounds=3)
    return model, twin, report, x


def by_the_definition(model, x):
    """A copy on the engine without filters."""
    with torch.no_grad():
        return accelerate(copy.deepcopy(model), x.clone(), layers="all", rounds=3, winograd=False)[0]


def thrice(model, x):
    """The third result, when weights are known; x stays what it is."""
    with torch.no_grad():
        given = x.clone()
        found = [model(given) for _ in range(3)][-1]
    torch.testing.assert_close(given, x, rtol=0, atol=0, equal_nan=True)
    return found


@every_norm
def test_results(name, fused):
    model, twin, report, x = posed(name)
    assert all(layer.kept and layer.winograd for layer in report.layers)
    assert [(run.kept, run.winograd, run.in_store) for run in report.runs] == [(True, *[name in IN_STORE] * 2)] * 2
    assert all(type(m) in accelerated.FILTERED.values() for m in (twin.conv1, twin.conv2))
    wanted, found = thrice(model, x), thrice(twin, x)
    # The third call is one call for each run, the numbers being of members.
    assert fused[-2:] == [4, 3]
    assert float((found - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())
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
    with torch.no_grad():
        twin, report = accelerate(copy.deepcopy(model), (x, other), layers="all", rounds=3)
        assert [run.winograd for run in report.runs] == [True]
        for value in (torch.nan, torch.inf, -torch.inf):
            other[0, 3, 4, 5] = value
            found, wanted = [twin(x, other) for _ in range(3)][-1], model(x, other)
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
    for same in (copy.deepcopy(twin), pickle.loads(pickle.dumps(twin))):
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
