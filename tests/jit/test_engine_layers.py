"""The public layers: scratch memory, accuracy beside PyTorch's, the same bits with any number of threads."""

from dataclasses import replace

import numpy as np
import pytest
from registry import needs_kernels
from running import problem_of

import tconv
from tconv.bench.layers import public
from tconv.jit import choose, engine, isa, launch
from tconv.methods import METHODS

#: Bytes of scratch a thread, beside the packed weights.
MOST_SCRATCH = 4 << 20

#: The largest error against float64 is at most so many times PyTorch's, whose library adds sums of few terms for some
#: layers. Measured: 0.2 to 4.1 on these layers, 1.5 in the middle.
FACTOR = 5

every_layer = pytest.mark.parametrize("name", public())
every_layout = pytest.mark.parametrize("layout", ["channels_first", "channels_last"])


@pytest.fixture(autouse=True)
def default_threads():
    yield
    tconv.set_num_threads(None)


def problem(layer):
    channels = {"cin": layer.in_channels, "cout": layer.out_channels, "groups": layer.groups}
    return problem_of(layer.geometry, batch=layer.batch, **channels)


def in_layout(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, 1, -1)) if layout == "channels_last" else a


def reduced(layer):
    """The layer on a smaller grid, if it is heavy: the terms of each sum stay as they are."""
    layer = replace(layer, batch=min(layer.batch, 2))
    while layer.flops > 2e8 and max(layer.spatial) > 4:
        layer = replace(layer, spatial=tuple(max(3, (n + 1) // 2) for n in layer.spatial))
    return layer


@needs_kernels
@every_layout
@every_layer
def test_scratch_memory_is_bounded_and_the_plan_says_how_much(name, layout):
    layer = public()[name]
    tconv.set_num_threads(2)
    ready = engine.ready(problem(layer), layout == "channels_last")
    assert ready.program.scratch <= MOST_SCRATCH
    assert ready.scratch == ready.threads * ready.program.scratch
    assert ready.program.packed + ready.scratch <= METHODS["jit"].cost(problem(layer)).scratch


@pytest.mark.parametrize("target", isa.ISAS)
@every_layout
@every_layer
def test_scratch_memory_is_bounded_for_every_set_of_instructions(name, layout, target):
    schedule = choose.by_model(problem(public()[name]), layout == "channels_last", isa.ISAS[target])
    assert schedule.panel + getattr(schedule, "block", 0) <= MOST_SCRATCH - 4096  # which rounding to lines may add


@needs_kernels
@every_layer
def test_accuracy_is_near_that_of_pytorch(name):
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    layer = reduced(public()[name])
    x, w = layer.arrays()
    compute = getattr(torch.nn.functional, f"conv_transpose{layer.ndim}d")
    with torch.inference_mode():
        tensors = torch.from_numpy(x), torch.from_numpy(w)
        exact = compute(*(t.double() for t in tensors), **layer.keywords).numpy()
        theirs = np.abs(compute(*tensors, **layer.keywords).numpy() - exact).max()
    for layout in ("channels_first", "channels_last"):
        y = tconv.conv_transpose(in_layout(x, layout), w, layout=layout, method="jit", **layer.keywords)
        assert np.abs(y - in_layout(exact, layout)).max() <= FACTOR * theirs


@needs_kernels
@every_layout
@every_layer
def test_threads_change_no_bit(name, layout):
    layer = reduced(public()[name])
    x, w = layer.arrays()
    bias = np.linspace(-1, 1, layer.out_channels, dtype=np.float32)

    def compute(threads):
        tconv.set_num_threads(threads)
        out = np.full(in_layout(np.empty(layer.y_shape, np.float32), layout).shape, np.nan, np.float32)
        tconv.conv_transpose(in_layout(x, layout), w, bias, layout=layout, method="jit", out=out, **layer.keywords)
        return out

    one = compute(1)
    assert np.isfinite(one).all()
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(compute(threads), one)


@needs_kernels
def test_heavy_layers_are_computed_by_several_threads():
    """Else the test before this one would say nothing."""
    tconv.set_num_threads(3)
    used = [engine.ready(problem(reduced(layer)), False).threads for layer in public().values()]
    assert used.count(3) > len(used) / 2
    assert launch.setting() == 3
