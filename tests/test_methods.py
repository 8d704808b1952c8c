"""Every registered method on every operation: the numbers of the definition, where they belong and nowhere else."""

from math import prod

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import expected, oracle
from registry import (
    EXACT,
    by,
    computes,
    every_array_method,
    every_compiled_method,
    every_method,
    every_operation_and_method,
    param,
)
from strategies import GEOMETRIES, geometries

import tconv
from tconv.methods import METHODS, OPERATIONS, Method, Problem, cost
from tconv.methods.phases import _cost as of_block
from tconv.methods.zero_insertion import _dense as dense_of
from tconv.phases import blocks

every_geometry = pytest.mark.parametrize("geometry", GEOMETRIES)


def arrays(geometry, *, batch=2, cin=2, cout=2, groups=1, seed=0):
    """Random x, w and y in float64."""
    rng = np.random.default_rng(seed)
    shapes = (batch, cin, *geometry.coarse), (cin, cout // groups, *geometry.kernel), (batch, cout, *geometry.fine)
    return tuple(rng.normal(size=shape) for shape in shapes)


def compute(operation, geometry, x, w, y, *, groups=1, **keywords):
    """Call the public function of an operation with the keywords of this geometry."""
    keywords |= geometry.keywords | {"groups": groups}
    if operation == "conv_transpose":
        return tconv.conv_transpose(x, w, **keywords)
    if operation == "conv":
        return tconv.conv(y, w, **keywords)
    return tconv.weight_gradient(x, y, geometry.kernel, **keywords)


def test_registry_names_each_method_once():
    assert all(isinstance(method, Method) and method.name == name for name, method in METHODS.items())
    assert all(method.summary for method in METHODS.values())
    assert all(method.operations for method in METHODS.values())
    for operation in OPERATIONS:
        assert any(operation in method.operations for method in METHODS.values())


@every_operation_and_method
@every_geometry
def test_equals_the_definition(geometry, operation, method):
    x, w, y = arrays(geometry)
    result = compute(operation, geometry, x, w, y, method=method)
    np.testing.assert_allclose(result, expected(operation, geometry, x, w, y), rtol=1e-12, atol=1e-12)


@every_array_method
@given(data=st.data())
def test_equals_the_definition_at_random(method, data):
    check_at_random(method, data)


@every_compiled_method
@settings(max_examples=20)
@given(data=st.data())
def test_kernels_equal_the_definition_at_random(method, data):
    check_at_random(method, data)


def check_at_random(method, data):
    geometry = data.draw(geometries(small=True))
    groups = data.draw(st.integers(1, 3))
    cin, cout = (groups * data.draw(st.integers(1, 3)) for _ in range(2))
    x, w, y = arrays(geometry, batch=data.draw(st.integers(1, 3)), cin=cin, cout=cout, groups=groups)
    wanted = oracle(geometry, x, w, y, groups)
    for operation, value in zip(OPERATIONS, wanted, strict=True):
        if computes(method, operation):
            result = compute(operation, geometry, x, w, y, groups=groups, method=method)
            np.testing.assert_allclose(result, value, rtol=1e-11, atol=1e-11)


@every_method
@every_geometry
def test_conv_and_conv_transpose_are_adjoint(geometry, method):
    _, w, _ = arrays(geometry, cin=4, cout=6, groups=2)
    keywords = {**geometry.keywords, "groups": 2}
    up = lambda x: tconv.conv_transpose(x, w, **keywords, **by(method, "conv_transpose"))  # noqa: E731
    down = lambda y: tconv.conv(y, w, **keywords, **by(method, "conv"))  # noqa: E731
    assert tconv.dot_test(up, down, (2, 4, *geometry.coarse), (2, 6, *geometry.fine))


@every_method
@every_geometry
def test_weight_gradient_is_adjoint_to_both_in_the_weights(geometry, method):
    """<conv_transpose(x, w), y> = <w, weight_gradient(x, y)> = <x, conv(y, w)>, as functions of w."""
    x, w, y = arrays(geometry, cin=4, cout=6, groups=2)
    keywords = {**geometry.keywords, "groups": 2}

    def up(v):
        return tconv.conv_transpose(x, v, **keywords, **by(method, "conv_transpose"))

    def down(v):
        return tconv.conv(y, v, **keywords, **by(method, "conv"))

    def gradient(y_or_x, of_conv):
        pair = (y_or_x, y) if of_conv else (x, y_or_x)
        return tconv.weight_gradient(*pair, geometry.kernel, **keywords, **by(method, "weight_gradient"))

    assert tconv.dot_test(up, lambda u: gradient(u, of_conv=False), w.shape, y.shape)
    if computes(method, "conv"):
        assert tconv.dot_test(down, lambda u: gradient(u, of_conv=True), w.shape, x.shape)


@every_operation_and_method
@every_geometry
def test_writes_every_cell_of_the_result_and_none_beside_it(geometry, operation, method):
    x, w, y = arrays(geometry)
    wanted = compute(operation, geometry, x, w, y, method=method)
    guarded = np.full([2 * size + 3 for size in wanted.shape], 7.25)
    out = guarded[tuple(slice(1, 1 + 2 * size, 2) for size in wanted.shape)]
    out[...] = np.nan  # poison: whatever is not written shows
    assert compute(operation, geometry, x, w, y, method=method, out=out) is out
    np.testing.assert_array_equal(out, wanted)
    out[...] = 7.25
    assert (guarded == 7.25).all()


@every_operation_and_method
@every_geometry
def test_inputs_are_never_changed(geometry, operation, method):
    x, w, y = arrays(geometry)
    copies = [a.copy() for a in (x, w, y)]
    compute(operation, geometry, x, w, y, method=method)
    for array, copy in zip((x, w, y), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


OPERANDS = {"conv_transpose": ("x", "w"), "conv": ("y", "w"), "weight_gradient": ("x", "y")}
CASES = [param(m, op, name) for op in OPERANDS for name in OPERANDS[op] for m in EXACT if computes(m, op)]


@pytest.mark.parametrize(("operation", "operand", "method"), CASES)
@every_geometry
def test_nan_and_inf_reach_what_a_tap_ties_and_nothing_else(geometry, operation, operand, method):
    given_arrays = dict(zip("xwy", arrays(geometry), strict=True))
    place = np.random.default_rng(1).integers(0, given_arrays[operand].shape)
    marked = {name: np.ones_like(a) for name, a in given_arrays.items()}
    marked[operand][...] = 0
    marked[operand][tuple(place)] = 1
    reached = expected(operation, geometry, **marked) > 0
    given_arrays[operand][tuple(place)] = 0
    clean = expected(operation, geometry, **given_arrays)
    for value in (np.nan, np.inf):
        given_arrays[operand][tuple(place)] = value
        result = compute(operation, geometry, **given_arrays, method=method)
        assert not np.isfinite(result[reached]).any()
        np.testing.assert_allclose(result[~reached], clean[~reached], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize(
    ("operation", "method"), [param(m, op) for op in OPERATIONS for m in EXACT if computes(m, op, "int64")]
)
def test_integers_are_exact_and_wrap_around(operation, dtype, method):
    """Modulo 2**bits the order of a sum does not matter: every method gives the same integers."""
    geometry = tconv.Geometry.conv_transpose((4, 3), 3, stride=2, padding=1, output_padding=1)
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    x, w, y = (
        rng.integers(info.min, info.max, a.shape, dtype, endpoint=True)
        for a in arrays(geometry, cin=4, cout=4, groups=2)
    )
    result = compute(operation, geometry, x, w, y, groups=2, method=method)
    assert result.dtype == dtype
    # Python's integers do not overflow: the definition in them, reduced at the end.
    whole = expected(operation, geometry, *(a.astype(object) for a in (x, w, y)), groups=2)
    np.testing.assert_array_equal(result, (whole % 2**info.bits).astype(np.uint64).astype(dtype))


@pytest.mark.parametrize("coarse", [(7, 5), (2, 20)], ids=["rows of the first axis", "rows of the longest axis"])
@every_operation_and_method
def test_work_in_several_pieces_gives_the_same(operation, method, coarse, monkeypatch):
    """The public layers are larger than a piece; here the piece is made small instead."""
    geometry = tconv.Geometry.conv_transpose(coarse, (3, 4), stride=2, padding=((1, 0), (1, 1)), dilation=(1, 2))
    x, w, y = arrays(geometry, batch=5, cin=4, cout=6, groups=2)
    whole = compute(operation, geometry, x, w, y, groups=2, method=method)
    for budget in (1, 300, 3000, 9000):
        monkeypatch.setattr("tconv.methods.blocks.BUDGET", budget)
        pieces = compute(operation, geometry, x, w, y, groups=2, method=method)
        np.testing.assert_allclose(pieces, whole, rtol=1e-12, atol=1e-12)


@every_array_method
@given(geometry=geometries(small=True), budget=st.integers(1, 600), batch=st.integers(1, 3))
@example(  # a fine grid whose phases have more positions than there are coarse cells, taken one at a time
    tconv.Geometry.conv_transpose((1, 3), (4, 2), stride=4, padding=(0, 3), output_padding=3, dilation=3), 20, 1
)
def test_work_in_pieces_of_any_size_gives_the_same(method, geometry, budget, batch):
    x, w, y = arrays(geometry, batch=batch)
    wanted = oracle(geometry, x, w, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tconv.methods.blocks.BUDGET", budget)
        for operation, value in zip(OPERATIONS, wanted, strict=True):
            result = compute(operation, geometry, x, w, y, method=method)
            np.testing.assert_allclose(result, value, rtol=1e-11, atol=1e-11)


@every_method
@given(geometry=geometries())
def test_cost_is_finite_and_positive_for_any_problem(method, geometry):
    for operation in METHODS[method].operations:
        for batch in (0, 1, 1000):
            found = METHODS[method].cost(Problem(operation, geometry, batch, 8, 4, 2, "float32"))
            assert 0 <= found.seconds < np.inf
            assert 0 <= found.scratch == int(found.scratch)


@given(geometry=geometries(), operation=st.sampled_from(OPERATIONS), batch=st.sampled_from((0, 1, 1000)))
def test_cost_of_phases_is_that_of_all_their_blocks(geometry, operation, batch):
    problem = Problem(operation, geometry, batch, 8, 4, 2, "float32")
    found = [of_block(problem, block) for block in blocks(geometry)]
    moved = cost.copy(problem, prod(problem.x_shape), prod(problem.x_shape)) if operation == "conv" else 0
    seconds, scratch = METHODS["phases"].cost(problem)
    assert seconds == pytest.approx(sum(block.seconds for block in found) + moved, rel=1e-12)
    assert scratch == max((block.scratch for block in found), default=0) * problem.itemsize


@given(geometry=geometries(), operation=st.sampled_from(OPERATIONS), batch=st.sampled_from((0, 1, 1000)))
def test_cost_of_zero_insertion_is_that_of_its_dense_convolution_and_more(geometry, operation, batch):
    problem = Problem(operation, geometry, batch, 8, 4, 2, "float32")
    dense = dense_of(problem)
    inner, whole = METHODS["gemm"].cost(dense), METHODS["zero_insertion"].cost(problem)
    assert whole.seconds > inner.seconds
    beside = problem.batch * problem.in_channels * dense.fine_cells + prod(problem.w_shape)
    assert whole.scratch == inner.scratch + beside * problem.itemsize


@pytest.mark.parametrize("dtype", ["int8", "uint64"])
@pytest.mark.parametrize("method", [param(m) for m in EXACT if not computes(m, METHODS[m].operations[0], "int64")])
def test_integers_are_refused_by_a_method_that_does_not_compute_them(method, dtype):
    operation = METHODS[method].operations[0]
    x, w, y = (a.astype(dtype) for a in arrays(tconv.Geometry.conv_transpose((3, 3), 2)))
    with pytest.raises(ValueError) as error:
        compute(operation, tconv.Geometry.conv_transpose((3, 3), 2), x, w, y, method=method)
    reason = f'{operation}: method "{method}" computes floating point and complex numbers only, not {dtype}'
    assert str(error.value).splitlines()[0] == reason
