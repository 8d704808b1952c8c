"""What `tconv.plan` prints and `tconv.tune` remembers is what every way of calling runs, where layouts coincide too."""

import numpy as np
import one_schedule
import pytest
from one_schedule import arrays, chosen, every_layout, every_problem, keywords, printed, running
from registry import needs_kernels

import tconv

pytestmark = needs_kernels


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    with one_schedule.one_thread(monkeypatch):
        yield


def spread(a):
    """The same with other elements between its own."""
    wide = np.zeros([2 * size for size in a.shape], a.dtype)
    wide[tuple(slice(None, None, 2) for _ in a.shape)] = a
    return wide[tuple(slice(None, None, 2) for _ in a.shape)]


@every_layout
@every_problem
def test_of_arrays(name, layout, monkeypatch):
    wanted = chosen(name, layout, "conv_transpose", monkeypatch)
    (x, w), given = arrays(name, layout), {**keywords(name, layout), "method": "jit"}
    assert printed(tconv.plan(x, w, **given), monkeypatch) == wanted
    expected = tconv.conv_transpose(x, w, **{**given, "method": "phases"})
    operator, ran = tconv.ConvTranspose(w, **given), running(monkeypatch)
    calls = {
        "the function": lambda: tconv.conv_transpose(x, w, **given),
        "the function, into an array": lambda: tconv.conv_transpose(x, w, out=np.empty_like(expected), **given),
        "the function, strides": lambda: tconv.conv_transpose(spread(x), w, out=spread(expected), **given),
        "the operator": lambda: operator(x),
        "the operator, into an array": lambda: operator(x, np.empty_like(expected)),
        "the operator, strides": lambda: operator(spread(x), spread(expected)),
    }
    for way, call in calls.items():
        for _ in range(2):  # what was seen before may go another way
            np.testing.assert_array_equal(call(), expected, err_msg=way)
            assert ran.pop() == wanted, way
    assert not ran


@every_layout
@every_problem
@pytest.mark.parametrize("operation", ["conv", "weight_gradient"])
def test_of_the_other_operations(name, layout, operation, monkeypatch):
    wanted = chosen(name, layout, operation, monkeypatch)
    (first, second), given = arrays(name, layout, operation), {**keywords(name, layout), "method": "jit"}
    function = getattr(tconv, operation)
    kernel = {"kernel_size": arrays(name, layout)[1].shape[2:]} if operation == "weight_gradient" else {}
    assert printed(tconv.plan(first, second, operation=operation, **kernel, **given), monkeypatch) == wanted
    expected = function(first, second, **kernel, **{**given, "method": "phases"})
    ran = running(monkeypatch)
    for arranged in (np.asarray, np.asarray, spread):
        np.testing.assert_array_equal(function(arranged(first), arranged(second), **kernel, **given), expected)
        assert ran.pop() == wanted
    assert not ran
