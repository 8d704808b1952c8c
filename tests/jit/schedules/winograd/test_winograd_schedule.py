"""Minimal filtering computes what the definition says: interpreted for all processors, and as machine code."""

import numpy as np
import pytest
from filtered_cases import CASES, EVERY_CASE
from guarded import aligned, guarded, placed
from oracle import expected
from running import DTYPES, ISAS, in_layout, out_of_layout, shapes, written

from tconv.jit.kernels import linking
from tconv.jit.kernels.abi import Given
from tconv.jit.machine import isa, launch
from tconv.jit.reference.interpret import interpret
from tconv.jit.schedules.registry import KINDS, kind_of, program_of

every_case = pytest.mark.parametrize(("name", "last"), EVERY_CASE)
#: Of the largest value, where filters have more points than are exact.
LIMITS = {"float32": 2e-5, "float64": 1e-13}


def posed(case, dtype):
    """x, w and bias of small whole numbers, and what the definition gives."""
    p, rng = case.problem(dtype), np.random.default_rng(1)
    read, result = shapes(p)
    x, w, bias = (
        rng.choice([-3, -2, -1, 1, 2, 3], shape).astype(dtype)
        for shape in (read, (p.in_channels, p.cout, *p.geometry.kernel), result[1])
    )
    other = np.zeros(result)
    grids = {"conv_transpose": (x, w, other), "conv": (other, w, x)}
    wanted = expected(p.operation, p.geometry, *grids[p.operation], p.groups)
    return x, w, bias, wanted + bias.reshape(-1, *[1] * p.geometry.ndim)


def check(case, dtype, y, wanted):
    if case.exact:
        np.testing.assert_array_equal(y, wanted)
    else:
        assert np.abs(y - wanted).max() <= LIMITS[dtype] * np.abs(wanted).max()


@every_case
@pytest.mark.parametrize("target", isa.ISAS.values(), ids=isa.ISAS)
def test_interpreted(name, last, target):
    case, dtype = CASES[name], DTYPES[len(name) % 2]
    p, schedule = case.problem(dtype), case.schedule(dtype, last, target)
    x, w, bias, wanted = posed(case, dtype)
    y = np.full(written(p, last), np.nan, dtype)
    interpret(program_of(schedule, 1 + last), in_layout(x, last), schedule.transformed(w.ctypes.data), bias, y)
    check(case, dtype, out_of_layout(p, y, last), wanted)


def run(schedule, target, x, w, bias, end, threads):
    """As machine code, every array against an inaccessible page; whether all results are finite is said too."""
    p, last = schedule.problem, schedule.layout.channels_last
    program = program_of(schedule, threads)
    machine, words = linking.linked(program.code, target), placed(program.words, "high")
    packed, scratch = aligned(program.packed), aligned(program.scratch * threads)
    w = placed(schedule.transformed(w.ctypes.data), end)
    x, bias = placed(in_layout(x, last), end), placed(bias, end)
    (first, count), address = program.blocks, words.ctypes.data
    weights = (w.ctypes.data, bias.ctypes.data, packed.ctypes.data)
    machine.pack(0, address, address + 8 * first, count, *weights, 1, 0)
    y = guarded(int(np.prod(written(p, last))) * p.itemsize, end)
    given = np.zeros(len(Given), np.int64)
    given[Given.WEIGHTS], given[Given.Y] = packed.ctypes.data, y.ctypes.data
    given = placed(given, end)
    launch.run(machine, address, *(a.ctypes.data for a in (x, given, y, scratch)), threads)
    return out_of_layout(p, y.view(p.dtype).reshape(written(p, last)), last), not given[Given.SPOILED]


@every_case
@pytest.mark.parametrize("name_of_isa", ISAS)
def test_between_inaccessible_pages(name, last, name_of_isa):
    case, target = CASES[name], isa.ISAS[name_of_isa]
    number = EVERY_CASE.index((name, last))
    dtype, end, threads = DTYPES[number % 5 == 4], ("low", "high")[number % 2], 1 + number % 3
    x, w, bias, wanted = posed(case, dtype)
    y, finite = run(case.schedule(dtype, last, target), target, x, w, bias, end, threads)
    check(case, dtype, y, wanted)
    assert finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ["F(4, 3)", "phases", "dilation"])
def test_results_that_are_not_finite_are_reported(name, last, value):
    case, target = CASES[name], isa.current()
    x, w, bias, _ = posed(case, "float32")
    if np.isfinite(value):
        x[..., 2:4] = value  # transforms and sums overflow
    else:
        x.reshape(-1)[x.size // 2] = value
    _, finite = run(case.schedule("float32", last, target), target, x, w, bias, "high", 2)
    assert not finite


def test_it_is_not_exact_and_never_offered_to_who_does_not_ask():
    schedule = CASES["F(4, 3)"].schedule("float32", False, isa.current())
    assert kind_of(schedule) is KINDS["winograd"]
    assert [kind.name for kind in KINDS.values() if not kind.exact] == ["winograd"]
