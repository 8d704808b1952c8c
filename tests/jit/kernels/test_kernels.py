"""All kernels that there are: each becomes IR by itself, is understood by the interpreter, and is counted or moves."""

from typing import get_args

import pytest
from filtered_cases import CASES as FILTERED
from filtered_cases import EVERY_CASE as EVERY_FILTERED
from schedule_cases import CASES, EVERY_CASE

from tconv.finishing import Epilogue
from tconv.jit.kernels import _EMIT, Kernel, exports, linking
from tconv.jit.kernels.finish import Finish
from tconv.jit.machine import isa
from tconv.jit.programs.count import PRODUCTS
from tconv.jit.reference.meaning import MEANINGS
from tconv.jit.schedules.registry import program_of

pytestmark = pytest.mark.quick

KERNELS = set(get_args(Kernel))


def test_every_kernel_is_registered_wherever_kernels_are():
    assert set(_EMIT) == set(MEANINGS) == KERNELS
    assert set(PRODUCTS) < KERNELS


def test_every_kernel_is_in_some_schedule_and_exports_what_it_says():
    target, seen = isa.ISAS["avx512"], {}
    for case, last in EVERY_CASE:
        for schedule in CASES[case].schedules("float32", last, target):
            for kernel in schedule.code.parts:
                seen.setdefault(type(kernel), kernel)
    for case, last in EVERY_FILTERED:
        for kernel in FILTERED[case].schedule("float32", last, target).code.parts:
            seen.setdefault(type(kernel), kernel)
    # That of an epilogue belongs to a program.
    schedule = next(CASES["short rows, tiles span them"].schedules("float32", False, target))
    seen[Finish] = program_of(schedule, 1, Epilogue("silu")).code.kernels[-1]
    assert set(seen) >= KERNELS
    for kernel in seen.values():
        text = linking.ir(kernel, target)
        for name in exports(kernel):
            assert f"@{name}(" in text
