"""What `tconv.plan` prints and `tconv.tune` remembers is what tensors and layers run, in both memory formats."""

import numpy as np
import one_schedule
import pytest
import torch
from one_schedule import arrays, chosen, every_layout, every_problem, keywords, printed, running
from registry import needs_kernels

import tconv
import tconv.torch
from tconv.torch import choice, formats

pytestmark = needs_kernels


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    with one_schedule.one_thread(monkeypatch):
        yield


def innermost(x):
    """The same, said to have channels innermost also by the strides of axes of size 1, which tell PyTorch."""
    return x.as_strided(x.shape, formats.strides(x.shape, formats.Format(True)))


def layer_of(w, given):
    """A layer with these weights."""
    kinds = {3: tconv.torch.nn.ConvTranspose1d, 4: tconv.torch.nn.ConvTranspose2d}
    window = {name: value for name, value in given.items() if name != "layout"}
    layer = kinds[w.dim()](w.shape[0], w.shape[1] * given["groups"], tuple(w.shape[2:]), bias=False, **window)
    with torch.no_grad():
        layer.weight.copy_(w)
    return layer


@every_layout
@every_problem
def test_of_tensors(name, layout, monkeypatch):
    """A tensor with channels innermost in memory is a channels-last array, seen with its axes in another order."""
    wanted = chosen(name, layout, "conv_transpose", monkeypatch)
    given, (array, w) = keywords(name, layout), map(torch.from_numpy, arrays(name, layout))
    expected = torch.from_numpy(tconv.conv_transpose(*arrays(name, layout), **given, method="phases"))
    x = array if layout == "channels_first" else innermost(array.movedim(-1, 1))
    window = {key: value for key, value in given.items() if key != "layout"}
    function, layer = getattr(tconv.torch.functional, f"conv_transpose{x.dim() - 2}d"), layer_of(w, given)
    calls = {"arrays of tensors": lambda: tconv.conv_transpose(array, w, **given)}
    if layout == "channels_first" or x.dim() > 3:  # in one axis channels are never innermost, as in PyTorch
        back = (lambda y: y.movedim(1, -1)) if layout == "channels_last" else (lambda y: y)
        calls |= {"the function": lambda: back(function(x, w, **window)), "the layer": lambda: back(layer(x))}
        assert printed(tconv.torch.plan(x, w, **window), monkeypatch) == wanted
    ran = running(monkeypatch)
    with torch.no_grad():
        for way, call in calls.items():
            for _ in range(3):  # weights are packed for keeps when they come a second time
                torch.testing.assert_close(call(), expected, rtol=0, atol=0, msg=way)
                assert ran.pop() == wanted, way
    assert not ran


@every_layout
@pytest.mark.parametrize("name", ["one channel", "depthwise", "one cell in x, one channel in y"])
def test_of_weight_gradients(name, layout, monkeypatch):
    """Where the engine computes them at all."""
    monkeypatch.setattr(choice, "is_slower", lambda problem, channels_last: False)
    wanted = chosen(name, layout, "weight_gradient", monkeypatch)
    x, y = map(torch.from_numpy, arrays(name, layout, "weight_gradient"))
    kernel = arrays(name, layout)[1].shape[2:]
    ran = running(monkeypatch)
    found = tconv.weight_gradient(x, y, kernel, **keywords(name, layout))
    assert ran == [wanted]
    expected = tconv.weight_gradient(x.numpy(), y.numpy(), kernel, **keywords(name, layout), method="phases")
    np.testing.assert_array_equal(found.numpy(), expected)
