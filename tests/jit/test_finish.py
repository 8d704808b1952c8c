"""Epilogues: whichever schedule computes a result, each element of it is finished once, when its sum is complete."""

from dataclasses import replace

import numpy as np
import pytest
from interpreting import posed
from running import BEST, OTHERS, Ready, in_layout, out_of_layout, written
from schedule_cases import CASES, EVERY_CASE
from ways import SORTS, ends_of_ways

from tconv.activations import Activation
from tconv.finishing import Epilogue, Finishing
from tconv.jit.kernels.finish import Finish
from tconv.jit.machine import isa
from tconv.jit.reference.interpret import interpret
from tconv.jit.schedules.registry import program_of

#: Sorts of kinds that have epilogues.
FINISHED = [sort for sort in SORTS if "gradient" not in sort]
#: The best set of instructions in both dtypes, the others in float32: as `test_engine_ways.py` has it.
EVERYWHERE = [
    *(pytest.param(*each.values, "float32", marks=each.marks) for each in BEST),
    *(each for each in OTHERS if "float32" in each.values or each.values[0] in isa.available()[:1]),
]
TOLERANCE = {"float32": {"rtol": 1e-4, "atol": 1e-4}, "float64": {"rtol": 1e-12, "atol": 1e-12}}


def finishings(shape, dtype):
    """A parameter for each channel and a residual; one number; neither. A second time each would show."""
    rng = np.random.default_rng(3)
    slopes, residual = rng.uniform(0.2, 3, shape[1]), rng.uniform(-1, 1, shape).astype(dtype)
    return (
        Finishing(Activation("prelu", slope=slopes), residual),
        Finishing(Activation("leaky_relu", slope=0.3), None),
        Finishing(Activation("sigmoid"), None),
        Finishing(None, residual),
    )


def finished(wanted, finishing):
    """What the definition gives."""
    result = wanted if finishing.residual is None else wanted + finishing.residual
    return result if finishing.activation is None else finishing.activation(result)


def interpreted(problem, schedule, finishing, threads):
    """By the interpreter, channels first."""
    x, w, bias, _ = posed(problem)
    last = schedule.layout.channels_last
    y = np.full(written(problem, last), np.nan, problem.dtype)
    if finishing.residual is not None:
        finishing = finishing._replace(residual=in_layout(finishing.residual, last))
    program = program_of(schedule, threads, finishing.epilogue)
    interpret(program, in_layout(x, last), w, bias, y, finishing)
    return out_of_layout(problem, y, last)


@pytest.mark.parametrize("target", isa.ISAS)
@pytest.mark.parametrize("name", FINISHED)
def test_every_way_interpreted(name, target):
    for number, (case, schedule) in enumerate(ends_of_ways(target, "float64")[name]):
        problem = CASES[case].problem("float64")
        *_, wanted = posed(problem)
        first, *others = finishings(wanted.shape, "float64")
        for finishing in (first, others[number % len(others)]):
            found = interpreted(problem, schedule, finishing, 1 + 2 * (number % 2))
            np.testing.assert_allclose(found, finished(wanted, finishing), **TOLERANCE["float64"], err_msg=case)


@pytest.mark.parametrize(("target", "dtype"), EVERYWHERE)
@pytest.mark.parametrize("name", FINISHED)
def test_every_way_compiled(name, target, dtype):
    """And the same bits by any number of threads."""
    for number, (case, schedule) in enumerate(ends_of_ways(target, dtype)[name]):
        problem = CASES[case].problem(dtype)
        x, w, bias, wanted = posed(problem)
        finishing = finishings(wanted.shape, dtype)[number % 4]
        found = [
            Ready(problem, schedule, isa.ISAS[target], w, bias, threads=threads, finishing=finishing)(x)
            for threads in (1, 3)
        ]
        np.testing.assert_allclose(found[0], finished(wanted, finishing), **TOLERANCE[dtype], err_msg=case)
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("target", list(isa.ISAS)[:1])
def test_an_epilogue_adds_to_a_program(target):
    """A kernel behind the others and its op; where sums are complete, a quick activation is a word of their kernels."""
    quick = set()
    for case, last in EVERY_CASE[::7]:
        for schedule in CASES[case].schedules("float32", last, isa.ISAS[target]):
            if schedule.problem.operation == "weight_gradient":
                continue
            plain, fused, relu = (program_of(schedule, 1, then) for then in (None, Epilogue("silu"), Epilogue("relu")))
            number = len(plain.code.kernels)
            # Whose results are read again does not write them past the caches.
            near = [
                replace(each, **{"streaming": False} if hasattr(each, "streaming") else {})
                for each in plain.code.kernels
            ]
            assert list(fused.code.kernels[:number]) == near
            assert {type(kernel) for kernel in fused.code.kernels[number:]} == {Finish}
            assert not plain.finishes
            assert fused.finishes
            assert relu.finishes
            assert (plain.packed, plain.scratch, plain.packing) == (fused.packed, fused.scratch, fused.packing)
            assert (len(relu.code.kernels) == number) == schedule.completes
            quick |= {(schedule.kind, schedule.completes)}
    assert quick >= {("pixels", True), ("channels", True), ("channels", False), ("planes", False), ("taps", False)}
