"""Accelerated models where PyTorch has more in mind than to call them: modes, compilers, exporters, wrappers."""

from __future__ import annotations

import copy

import pytest
import torch
from accelerated_models import Functional, Plain, kept
from torch import nn

from tconv.torch import accelerate, restore

pytestmark = pytest.mark.usefixtures("all_win")


@pytest.mark.parametrize("under", ["inference_mode", "autocast", "channels_last", "double"])
def test_under_other_conditions(under):
    model, x = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1)).eval(), torch.randn(1, 8, 5, 6)
    model, x = (model.double(), x.double()) if under == "double" else (model, x)
    model, x = (t.to(memory_format=torch.channels_last) for t in (model, x)) if under == "channels_last" else (model, x)
    context = {"inference_mode": torch.inference_mode, "autocast": lambda: torch.autocast("cpu")}.get(
        under, torch.no_grad
    )
    with context():
        expected = model(x)
        _, report = accelerate(model, x)
        result = model(x)
    assert kept(model) == ["0"], report
    assert (result.dtype, result.stride()) == (expected.dtype, expected.stride())
    torch.testing.assert_close(result, expected)


def test_wrappers_are_seen_through():
    x = torch.randn(1, 4, 5)
    for wrap in (nn.DataParallel, lambda model: torch.compile(model, backend="eager")):
        model = nn.Sequential(nn.ConvTranspose1d(4, 4, 2)).eval()
        wrapped = wrap(model)
        expected = wrapped(x)
        same, report = accelerate(wrapped, x)
        assert same is wrapped
        assert kept(model) == ["0"]
        assert report.layers[0].name == "0"
        torch.testing.assert_close(wrapped(x), expected)
        restore(wrapped)
        assert kept(model) == []
        torch.testing.assert_close(wrapped(x), expected)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch was built without torch.distributed")
def test_distributed_models_are_accelerated_inside_and_go_on_training():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        model, x = nn.parallel.DistributedDataParallel(Plain()), torch.randn(2, 4, 8)
        accelerate(model, x)
        assert kept(model) == ["module.up", "module.functional", "module.cropped"]
        plain = restore(copy.deepcopy(model.module))
        for each in (model, plain):
            each(x).square().sum().backward()
        for a, b in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.ConvTranspose1d(4, 3, 4, 2)), Functional, Plain])
def test_accelerated_models_can_be_compiled_and_exported(make):
    model, x = make().eval(), torch.randn(2, 4, 9 if make is not Plain else 8)
    expected = model(x)
    accelerate(model, x)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), expected)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
