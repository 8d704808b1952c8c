"""The public layers: scratch memory, accuracy beside PyTorch's, the same bits with any number of threads."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from registry import needs_kernels
from running import arrays, compute, in_layout, is_gradient, out_of_layout, problem_of, written

import tconv
from tconv.bench.layers import public
from tconv.jit import choose, engine, fresh, isa, launch
from tconv.jit.schedule import TERMS
from tconv.methods import METHODS
from tconv.problem import OPERATIONS

#: Bytes of scratch a thread, beside the packed weights.
MOST_SCRATCH = 4 << 20

#: The largest error against float64 is at most so many times PyTorch's, whose library adds sums of few terms for some
#: layers. Measured: 0.2 to 4.1 on these layers, 1.5 in the middle.
FACTOR = 5

every_layer = pytest.mark.parametrize("name", public())
every_operation = pytest.mark.parametrize("operation", OPERATIONS)
every_layout = pytest.mark.parametrize("layout", ["channels_first", "channels_last"])


@pytest.fixture(autouse=True)
def default_threads():
    yield
    tconv.set_num_threads(None)


def problem(layer, operation):
    channels = {"cin": layer.in_channels, "cout": layer.out_channels, "groups": layer.groups}
    return problem_of(layer.geometry, batch=layer.batch, **channels, operation=operation)


def reduced(layer):
    """The layer on a smaller grid, if it is heavy: the terms of each sum stay as they are."""
    layer = replace(layer, batch=min(layer.batch, 2))
    while layer.flops > 2e8 and max(layer.spatial) > 4:
        layer = replace(layer, spatial=tuple(max(3, (n + 1) // 2) for n in layer.spatial))
    return layer


@needs_kernels
def test_large_results_of_depthwise_layers_go_past_the_caches():
    for name, threads, past in (
        ("centernet.dw", 1, True), ("centernet.dw", 2, False), ("fcn.bilinear.dw", 1, False)
    ):  # fmt: skip
        given = problem(public()[name], "conv_transpose")
        schedule = choose.by_model(given, False, isa.current(), threads)
        assert (schedule.streaming, schedule.terms) == (past, TERMS)


@needs_kernels
@every_operation
@every_layout
@every_layer
@pytest.mark.parametrize("once", [False, True])
def test_scratch_memory_is_bounded_and_the_plan_says_how_much(name, layout, operation, once):
    given = problem(public()[name], operation)
    tconv.set_num_threads(2)
    ready = engine.ready(given, layout == "channels_last", once=once)
    assert ready.program.scratch <= (fresh.MOST if ready.program.fresh else MOST_SCRATCH)
    assert ready.scratch == ready.threads * ready.program.scratch
    assert ready.program.packed + ready.scratch <= METHODS["jit"].cost(given).scratch


@pytest.mark.parametrize("target", isa.ISAS)
@every_operation
@every_layout
@every_layer
def test_scratch_memory_is_bounded_for_every_set_of_instructions(name, layout, operation, target):
    schedule = choose.by_model(problem(public()[name], operation), layout == "channels_last", isa.ISAS[target])
    # What rounding to lines may add is left.
    assert schedule.panel + schedule.block + schedule.cells <= MOST_SCRATCH - 4096


#: Geometry, channels and groups of what is far apart in x, or of many channels: (written, read) of `conv`.
FAR_APART = {
    "many channels": (tconv.Geometry.conv((64, 512), 3, stride=2, padding=1), 64, 2048, 1),
    "patches": (tconv.Geometry.conv((64, 64), 16, stride=16, padding=5), 64, 512, 1),
    "dilation": (tconv.Geometry.conv((64, 64), 3, padding=24, dilation=24), 64, 1024, 1),
    "3-D": (tconv.Geometry.conv((24, 24, 24), 9, stride=4, padding=4), 64, 256, 1),
    "long strides": (tconv.Geometry.conv(20000, 200, stride=100), 64, 512, 1),
    "depthwise, long rows": (tconv.Geometry.conv((100, 200000), 31, stride=16, padding=15), 2, 2, 2),
    "depthwise, many channels": (tconv.Geometry.conv((64, 64), 7, padding=3), 2048, 2048, 2048),
}


@pytest.mark.parametrize("target", isa.ISAS)
@every_operation
@every_layout
@pytest.mark.parametrize("name", FAR_APART)
def test_scratch_memory_is_bounded_where_much_would_be_copied(name, layout, operation, target):
    geometry, written, read, groups = FAR_APART[name]
    cin, cout = (read, written) if operation == "conv_transpose" else (written, read)
    given = problem_of(geometry, cin=cin, cout=cout, groups=groups, operation=operation)
    for kind in choose.offered(given, layout == "channels_last", isa.ISAS[target]):
        schedule = kind.make()
        assert schedule.panel + schedule.block + schedule.cells <= MOST_SCRATCH - 4096


@needs_kernels
@every_operation
@every_layer
def test_accuracy_is_near_that_of_pytorch(name, operation):
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    layer = reduced(public()[name])
    rng, theirs = np.random.default_rng(0), {**layer.keywords}
    given = problem(layer, operation)
    x, w = (rng.standard_normal(a.shape, dtype=np.float32) for a in arrays(given)[:2])
    if operation == "conv":
        del theirs["output_padding"]
    if is_gradient(given):
        by_torch = partial(gradient_by, torch, layer)
    else:
        by_torch = partial(getattr(torch.nn.functional, f"{operation}{layer.ndim}d"), **theirs)
    with torch.no_grad():
        tensors = torch.from_numpy(x), torch.from_numpy(w)
        exact = by_torch(*(t.double() for t in tensors)).numpy()
        error = np.abs(by_torch(*tensors).numpy() - exact).max()
    for layout in ("channels_first", "channels_last"):
        last = layout == "channels_last"
        factor = in_layout(w, last) if is_gradient(given) else w
        result = compute(given, in_layout(x, last), factor, layout=layout, method="jit")
        assert np.abs(out_of_layout(given, result, last) - exact).max() <= FACTOR * error


def gradient_by(torch, layer, fine, coarse):
    """PyTorch's own gradient of a transposed convolution by its weights."""
    window = [list(layer.each(name)) for name in ("stride", "padding", "dilation")]
    window += [True, list(layer.each("output_padding")), layer.groups, (False, True, False)]
    w = torch.empty(layer.w_shape, dtype=fine.dtype)
    return torch.ops.aten.convolution_backward(fine, coarse, w, None, *window)[1]


@needs_kernels
@every_operation
@every_layout
@every_layer
def test_threads_change_no_bit(name, layout, operation):
    layer = reduced(public()[name])
    given = problem(layer, operation)
    x, w, bias = arrays(given)

    last = layout == "channels_last"
    factor = in_layout(w, last) if is_gradient(given) else w

    def on(threads):
        tconv.set_num_threads(threads)
        out = np.full(written(given, last), np.nan, np.float32)
        return compute(given, in_layout(x, last), factor, bias, layout=layout, method="jit", out=out)

    one = on(1)
    assert np.isfinite(one).all()
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(on(threads), one)


@needs_kernels
@every_operation
def test_heavy_layers_are_computed_by_several_threads(operation):
    """Else the test before this one would say nothing."""
    tconv.set_num_threads(3)
    used = [engine.ready(problem(reduced(layer), operation), False).threads for layer in public().values()]
    assert used.count(3) > len(used) / 2
    assert launch.setting() == 3
