"""No run is computed in one call where somebody could tell: training, hooks, modes, transforms, compilers."""

from __future__ import annotations

import pytest
import torch
from accelerated_models import kept
from joined import Functions, Operators, X, accelerated, check, check_gradients, decoder
from registry import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations

from tconv.torch import restore

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


def test_training_takes_the_same_steps(fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    fused.clear()
    for each in (model, twin):
        each.train()
        optimizer = torch.optim.SGD(each.parameters(), 0.01)
        for _ in range(2):
            optimizer.zero_grad()
            each(X).square().mean().backward()
            optimizer.step()
        each.eval()
    assert not any(fused)
    for found, expected in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    check(model, twin, X)
    assert fused[-1]


def test_statistics_are_gathered_in_training_mode_without_gradients():
    model, twin, _ = accelerated(decoder(), X)
    for each in (model, twin):
        each[1].train()
    check(model, twin, X)
    assert model[1].num_batches_tracked == 3
    assert twin[1].num_batches_tracked == 1


@pytest.mark.parametrize("of", ["x", "parameters"])
def test_gradients_in_evaluation(of, fused):
    model, twin, _ = accelerated(decoder(), X)
    for each in (model, twin):
        each.requires_grad_(of == "parameters")
    check_gradients(model, twin, X, of_x=of == "x")
    assert not any(fused[-2:])


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook"])
def test_hooks_see_what_is_between(at, kind, fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    seen = {id(model): [], id(twin): []}
    for each in (model, twin):
        getattr(each[at], f"register_{kind}")(lambda module, *given, each=each: seen[id(each)].append(given))
    check(model, twin, X, times=1)
    torch.testing.assert_close(*seen.values(), rtol=1e-4, atol=1e-5)
    assert len(seen[id(model)]) == 1
    assert fused[-1] or at > 3  # the other run is computed in one call, as is one without the activation


def test_hooks_of_all_modules(fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    seen, number = [], len(fused)
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, result: seen.append(type(module)))
    try:
        check(model, twin, X, times=1)
    finally:
        handle.remove()
    assert len(fused) == number
    assert seen.count(nn.PReLU) == 2


def test_parametrized_layers_compute_one_by_one(fused):
    model, twin, _ = accelerated(decoder(), X)
    for each in (model, twin):
        torch.manual_seed(0)
        parametrizations.weight_norm(each[0])
    check(model, twin, X)
    assert len(fused) > 0
    assert kept(restore(model)) == []


@pytest.mark.parametrize("listener", [Functions, Operators])
def test_who_listens_hears_all_operations(listener, fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    fused.clear()
    with torch.no_grad(), listener() as mode:
        model(X)
    assert len(mode.heard) >= 7
    assert fused == [0, 0]


def test_autocast_is_left_to_the_modules(fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    fused.clear()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result, expected = model(X), twin(X)
    torch.testing.assert_close(result, expected, rtol=0.05, atol=0.05)
    assert fused == [0, 0]


def test_transforms_and_traces(fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    with torch.no_grad():
        torch.testing.assert_close(torch.vmap(model)(X[None]), twin(X)[None])
        _, tangent = torch.func.jvp(model, (X,), (X,))
        torch.testing.assert_close(tangent, torch.func.jvp(twin, (X,), (X,))[1])
    assert fused[-2:] == [0, 0]


def test_compiled(fused):
    model, twin, _ = accelerated(decoder(), X)
    check(model, twin, X)
    number = len(fused)
    check(torch.compile(model, backend="eager", fullgraph=True), twin, X, times=2)
    assert len(fused) == number
    with torch.no_grad():
        torch.testing.assert_close(torch.export.export(model, (X,)).module()(X), twin(X), rtol=1e-4, atol=1e-5)
