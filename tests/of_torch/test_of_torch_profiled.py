"""A profiler sees what the engine computes; who scripts or quantizes an accelerated model is told what to do first."""

import pytest
import torch

import tconv.torch
from tconv.torch import functional as F


def events(compute):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        compute()
    return {event.key: event.count for event in profile.key_averages()}


def test_operations_are_recorded_while_a_profiler_is_on():
    x, w = torch.randn(2, 8, 9, 7, requires_grad=True), torch.randn(8, 6, 3, 3, requires_grad=True)
    with torch.no_grad():
        seen = events(lambda: F.conv_transpose2d(x, w, stride=2))
    assert seen["tconv::conv_transpose"] == 1
    seen = events(lambda: F.conv_transpose2d(x, w, stride=2).sum().backward())
    assert [seen[f"tconv::{name}"] for name in ("conv_transpose", "conv", "weight_gradient")] == [1, 1, 1]
    compiled = torch.compile(lambda x, w: F.conv_transpose2d(x, w, stride=2), backend="aot_eager")
    compiled(x.detach(), w.detach())
    assert events(lambda: compiled(x.detach(), w.detach()))["tconv::conv_transpose"] == 1  # and not twice
    v = torch.randn(16, 8, 3, 3, requires_grad=True)
    seen = events(lambda: F.conv2d(x, v, stride=2).sum().backward())
    assert [seen[f"tconv::{name}"] for name in ("conv", "conv_transpose", "weight_gradient")] == [1, 1, 1]


def test_nothing_is_recorded_otherwise(monkeypatch):
    from tconv.torch import engine

    monkeypatch.setattr(engine, "record_function", None)
    F.conv_transpose2d(torch.randn(2, 8, 9, 7), torch.randn(8, 6, 3, 3), stride=2)


def accelerated():
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ConvTranspose2d(8, 4, 3, 2)).eval()
    return tconv.torch.accelerate(plain)[0]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripting_asks_for_restore_first():
    model, x = accelerated(), torch.randn(1, 3, 9, 9)
    with pytest.raises(RuntimeError) as caught:
        torch.jit.script(model)
    assert str(caught.value) == (
        "torch.jit.script compiles PyTorch's own layers, and this model is accelerated: "
        "call tconv.torch.restore(model) first"
    )
    expected = model(x)
    torch.testing.assert_close(torch.jit.script(tconv.torch.restore(model))(x), expected)
    with pytest.raises(
        RuntimeError, match=r"use torch\.compile or torch\.export, or torch\.nn\.ConvTranspose1d, which"
    ):
        torch.jit.script(torch.nn.Sequential(tconv.torch.nn.ConvTranspose1d(2, 2, 2)))


class Calls(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(3, 2, 4))

    def forward(self, x):
        return torch.nn.functional.conv_transpose1d(x, self.w, None, 2)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_so_it_does_where_calls_are_replaced(all_win):
    with torch.no_grad():
        model, report = tconv.torch.accelerate(Calls().eval(), torch.randn(1, 3, 9))
    assert report.changed == 1
    with pytest.raises(RuntimeError, match=r"call tconv\.torch\.restore\(model\) first"):
        torch.jit.script(model)
    torch.jit.script(tconv.torch.restore(model))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("how", ["prepare", "prepare_qat"])
def test_eager_quantization_asks_for_restore_first(how):
    quantization = pytest.importorskip("torch.ao.quantization")
    prepare, model = getattr(quantization, how), accelerated()
    model.qconfig = quantization.default_qconfig
    model.train(how == "prepare_qat")
    with pytest.raises(RuntimeError) as caught:
        prepare(model)
    assert str(caught.value).startswith("torch.ao.quantization replaces PyTorch's own layers, and this model is acc")
    prepare(tconv.torch.restore(model))
