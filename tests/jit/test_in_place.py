"""x that is read where it is: rows between those that a stride reaches lie in memory too, and are no part of it."""

import numpy as np
import pytest
from lowered import in_use, target

import tconv
from tconv.jit.choice import model
from tconv.jit.choice.search import variations
from tconv.jit.machine import isa
from tconv.problem import Problem
from tests.fuzz.trial import VALUES, Trial

#: y, w and stride of a conv with a kernel of one tap, whose rows a stride sets apart: once tiles spanned rows as if
#: there were none between them.
CALLS = {
    "groups": ((2, 6, 7, 3), (4, 3, 1, 1), (2, 1)),
    "rows of a cell": ((2, 2, 16, 1), (1, 2, 1, 1), (2, 1)),
    "rows below a vector": ((2, 2, 31, 13), (20, 2, 1, 1), (2, 1)),
    "3-D": ((5, 3, 15, 17, 1), (3, 3, 1, 1, 1), (1, 2, 2)),
    "many channels": ((5, 7, 15, 5), (5, 7, 1, 1), (2, 1)),
}


def whole_numbers(*shapes):
    """Arrays whose products and sums are exact, in float32 as well."""
    rng = np.random.default_rng(0)
    return (rng.choice(VALUES, shape).astype(np.float32) for shape in shapes)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", CALLS)
def test_rows_that_a_stride_sets_apart(case, name):
    of_y, of_w, stride = CALLS[case]
    y, w = whole_numbers(of_y, of_w)
    given = {"stride": stride, "groups": of_y[1] // of_w[1]}
    with in_use(name):
        found = tconv.conv(y, w, **given, method="jit")
    np.testing.assert_array_equal(found, tconv.conv(y, w, **given, method="matrix"))


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", CALLS)
def test_what_tune_would_try_is_right_too(case, name):
    """Whether x is read where it is, is free; where masks are in vector registers, only `tconv.tune` chooses it."""
    of_y, of_w, stride = CALLS[case]
    geometry, groups = tconv.Geometry.conv(of_y[2:], of_w[2:], stride=stride), of_y[1] // of_w[1]
    sizes = {"batch": of_y[0], "in_channels": of_w[0], "out_channels": of_y[1], "groups": groups}
    trial = Trial(Problem("conv", geometry, **sizes, dtype="float32"), False, name)
    for kind in model.offered(trial.problem, False, target(name)):
        made = kind.make()
        near = variations(made, target(name)) if made.kind == "pixels" else ()
        for schedule in (made, *near):
            trial.interpreted(schedule)
