"""The public layers: scratch memory, the same bits with any number of threads."""

import numpy as np
import pytest
from public_layers import problem, reduced
from registry import needs_kernels
from running import arrays, compute, in_layout, is_gradient, problem_of, written

import tconv
from tconv.bench.layers import public
from tconv.jit import engine
from tconv.jit.choice import model
from tconv.jit.machine import isa, launch
from tconv.jit.schedules.base import TERMS
from tconv.jit.schedules.channels import on_the_fly
from tconv.methods import METHODS
from tconv.problem import OPERATIONS

#: Bytes of scratch a thread, beside the packed weights.
MOST_SCRATCH = 4 << 20

every_layer = pytest.mark.parametrize("name", public())
every_operation = pytest.mark.parametrize("operation", OPERATIONS)
every_layout = pytest.mark.parametrize("layout", ["channels_first", "channels_last"])


@pytest.fixture(autouse=True)
def nothing_kept():
    """As many threads as usual afterwards, and no tables, which are megabytes for some of the layers."""
    yield
    tconv.set_num_threads(None)
    engine.forget()


@needs_kernels
def test_large_results_of_depthwise_layers_go_past_the_caches():
    for name, threads, past in (
        ("centernet.dw", 1, True), ("centernet.dw", 2, False), ("fcn.bilinear.dw", 1, False)
    ):  # fmt: skip
        given = problem(public()[name], "conv_transpose")
        schedule = model.by_model(given, False, isa.current(), threads)
        assert (schedule.streaming, schedule.terms) == (past, TERMS)


@needs_kernels
@every_operation
@every_layout
@every_layer
def test_scratch_memory_is_bounded_and_the_plan_says_how_much(name, layout, operation):
    given = problem(public()[name], operation)
    tconv.set_num_threads(2)
    for once in (False, True):
        ready = engine.ready(given, layout == "channels_last", once=once)
        assert ready.program.scratch <= (on_the_fly.MOST if ready.program.on_the_fly else MOST_SCRATCH)
        assert ready.scratch == ready.threads * ready.program.scratch
        assert ready.program.packed + ready.scratch <= METHODS["jit"].cost(given).scratch


@pytest.mark.parametrize("target", isa.ISAS)
@every_operation
@every_layout
@every_layer
def test_scratch_memory_is_bounded_for_every_set_of_instructions(name, layout, operation, target):
    schedule = model.by_model(problem(public()[name], operation), layout == "channels_last", isa.ISAS[target])
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
    for kind in model.offered(given, layout == "channels_last", isa.ISAS[target]):
        schedule = kind.make()
        assert schedule.panel + schedule.block + schedule.cells <= MOST_SCRATCH - 4096


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
