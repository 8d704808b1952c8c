"""Layers and runs by minimal filtering: what they compute, and when by the definition."""

from __future__ import annotations

import copy

import pytest
import torch
from copies import pickled
from filtered import accelerate, apart, convolutions, every_network, networks, thrice
from joined import drawn
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import tconv.torch
from tconv.torch import accelerated, measuring, restore
from tconv.torch.both_ways import WINOGRAD
from tconv.torch.classes import class_before, plain_class

pytestmark = pytest.mark.usefixtures("took")


def posed(name):
    """A model as it was, with the sums of the definition on the engine, and by minimal filtering; and an input."""
    model, x = networks()[name]
    exact, _ = accelerate(drawn(model), x, winograd=False)
    filtered, report = accelerate(model, x)
    return model, exact, filtered, report, x


@every_network
def test_layers_and_runs_are_taken_so(name):
    model, exact, filtered, report, x = posed(name)
    assert all(layer.winograd and layer.kept for layer in (*report.layers, *report.runs))
    assert all(layer.outcome == "4.00 times as fast, by Winograd" for layer in (*report.layers, *report.runs))
    assert "by Winograd" in str(report)
    assert all(layer["winograd"] for layer in report.as_dict()["layers"])
    assert all(type(m) in accelerated.FILTERED.values() for m in convolutions(filtered))
    limit = {torch.float64: 1e-12, torch.float16: 1e-2}.get(x.dtype, 1e-4)
    assert apart(thrice(filtered, x), thrice(model, x)) < limit
    if x.dtype != torch.float16:
        assert not torch.equal(thrice(filtered, x), thrice(exact, x))


@every_network
def test_without_it_only_the_definition_is(name):
    _, exact, _, _, x = posed(name)
    assert all(type(m) in accelerated.LAYERS.values() for m in convolutions(exact))
    _, report = accelerate(exact, x, winograd=False)
    assert not any(layer.winograd for layer in (*report.layers, *report.runs))
    assert "Winograd" not in str(report)
    assert all(layer.outcome == "2.00 times as fast" for layer in report.layers)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_what_is_neither_true_nor_false_is_refused(value):
    model, x = nn.Conv2d(32, 32, 3), torch.randn(1, 32, 9, 9)
    with pytest.raises(TypeError) as error:
        tconv.torch.accelerate(model, x, winograd=value)
    kind = type(value).__name__
    assert (
        str(error.value).splitlines()[0] == f"accelerate: winograd must be True or False; got {value!r} of type {kind}"
    )
    assert f"winograd={value!r}" in str(error.value)
    assert type(model) is nn.Conv2d


@every_network
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "huge"])
def test_what_is_not_finite_is_computed_by_the_definition(value, name):
    _, exact, filtered, _, x = posed(name)
    wanted, before = thrice(exact, x), thrice(filtered, x)
    spoiled = x.clone()
    if value == "huge" and x.dtype == torch.float16:  # it is computed in float32, where it is not huge
        return
    if value == "huge":
        spoiled.copy_(torch.copysign(torch.tensor(torch.finfo(x.dtype).max, dtype=x.dtype), x))
    else:
        spoiled[tuple(n // 2 for n in x.shape)] = value
    assert torch.equal(thrice(filtered[0], spoiled).isnan(), thrice(exact[0], spoiled).isnan())
    torch.testing.assert_close(thrice(filtered, spoiled), thrice(exact, spoiled), rtol=0, atol=0, equal_nan=True)
    assert torch.equal(thrice(filtered, x), before)
    assert torch.equal(thrice(exact, x), wanted)


@every_network
def test_weights_that_are_not_finite(name):
    model, exact, filtered, _, x = posed(name)
    for each in (model, exact, filtered):
        with torch.no_grad():
            convolutions(each)[0].weight[0, 1] = torch.nan
    assert torch.equal(thrice(filtered, x).isnan(), thrice(model, x).isnan())
    torch.testing.assert_close(thrice(filtered, x), thrice(exact, x), rtol=0, atol=0, equal_nan=True)


@every_network
def test_derivatives_are_those_of_the_definition(name):
    _, exact, filtered, _, x = posed(name)
    found = []
    for each in (exact, filtered):
        thrice(each, x)
        given = x.clone().requires_grad_()
        y = each(given)
        found.append([y, *torch.autograd.grad(y.float().square().sum(), [given, *each.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    for each in (exact, filtered):  # of x alone, the weights being what they are in every call
        each.requires_grad_(False)
    found = [each(x.clone().requires_grad_()) for each in (exact, filtered)]
    assert torch.equal(*found)


@every_network
def test_copies_pickles_and_restore(name):
    model, _, filtered, _, x = posed(name)
    wanted = thrice(filtered, x)
    for twin in (copy.deepcopy(filtered), pickled(filtered)):
        assert [type(m) for m in twin.modules()] == [type(m) for m in filtered.modules()]
        assert torch.equal(thrice(twin, x), wanted)
        assert [type(m) for m in restore(twin).modules()] == [type(m) for m in model.modules()]
        assert torch.equal(thrice(twin, x), thrice(model, x))
    assert repr(filtered) == repr(model)
    assert all(
        torch.equal(a, b) for a, b in zip(filtered.state_dict().values(), model.state_dict().values(), strict=True)
    )
    assert [class_before(m) for m in convolutions(filtered)] == [type(m) for m in convolutions(model)]
    restore(filtered)
    assert [type(m) for m in filtered.modules()] == [type(m) for m in model.modules()]
    assert [vars(m).keys() for m in filtered.modules()] == [vars(m).keys() for m in model.modules()]
    exact, _ = accelerate(filtered, x, winograd=False)
    assert all(type(m) in accelerated.LAYERS.values() for m in convolutions(exact))


def test_parametrized_weights():
    model, x = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(32, 32, 3))).eval(), torch.randn(1, 32, 18, 18)
    wanted = thrice(model, x)
    model, report = accelerate(model, x)
    assert report.layers[0].winograd
    assert plain_class(model[0]) is accelerated.FilteredConv2d
    assert 0 < apart(thrice(model, x), wanted) < 1e-4
    assert apart(thrice(pickled(model.state_dict()) and model, x), wanted) < 1e-4
    parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is accelerated.FilteredConv2d
    assert apart(thrice(model, x), wanted) < 1e-4
    restore(model)
    assert type(model[0]) is nn.Conv2d


def test_weights_that_change_are_seen():
    _, exact, filtered, _, x = posed("two axes")
    before = thrice(filtered, x)
    for each in (exact, filtered):
        for module in convolutions(each):
            module.weight.data.mul_(0.5)
    assert apart(thrice(filtered, x), thrice(exact, x)) < 1e-4
    assert not torch.equal(thrice(filtered, x), before)


def test_sizes_in_any_order():
    """Filters are chosen by size, and weights are packed for each choice."""
    model, x = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)).eval(), torch.randn(1, 64, 24, 24)
    filtered, _ = accelerate(model, x)
    for size in ((2, 40), (8, 8), (24, 24), (40, 2), (2, 40), (0, 5), (7, 9), (1, 1)):
        x = torch.randn(0 if 0 in size else 2, 64, *(n or 5 for n in size))
        found, wanted = thrice(filtered, x), thrice(model, x)
        assert found.shape == wanted.shape
        assert not x.numel() or apart(found, wanted) < 1e-4


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model, _, filtered, _, x = posed("two axes")
        assert apart(thrice(filtered, x), thrice(model, x)) < 1e-4
    finally:
        torch.set_num_threads(before)


def test_new_sizes():
    model, x = networks()["two axes"]
    _, report = accelerate(model.eval(), x, new_sizes=True)
    assert all(layer.winograd for layer in report.layers)


def test_every_layer_has_a_class():
    assert accelerated.FILTERED.keys() == accelerated.LAYERS.keys()
    for plain, kind in accelerated.FILTERED.items():
        assert kind._filters
        assert issubclass(kind, accelerated.LAYERS[plain])
        assert not accelerated.LAYERS[plain]._filters
    assert measuring.WINOGRAD == WINOGRAD
