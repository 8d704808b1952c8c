"""Results in another dtype than the operands': sums of integers that do not wrap, and what `plan` says of them."""

import numpy as np
import pytest
from definition import links_of

import tconv
from tconv.wrapping import terms

RNG = np.random.default_rng(0)
#: Geometry arguments, the coarse size and the kernel.
CASES = [
    ((5,), (3,), {"stride": 2, "padding": 1}),
    ((1, 4), (2, 3), {"stride": (3, 2), "padding": ((0, 1), (2, -1)), "output_padding": (2, 0)}),
    ((3, 3), (3, 2), {"stride": 2, "dilation": (3, 1), "groups": 2}),
    ((2, 1, 3), (1, 2, 2), {"stride": (1, 2, 1)}),
]
PAIRS = [("uint8", "int8", "int32"), ("int8", "int8", "int32"), ("uint8", "uint8", "int32"), ("int8", "int16", "int64")]


def integers(shape, dtype):
    """Among them the extremes."""
    info = np.iinfo(dtype)
    found = RNG.integers(info.min, info.max + 1, shape).astype(dtype)
    found.flat[0], found.flat[-1] = info.min, info.max
    return found


def operands(case, first, second):
    coarse, kernel, arguments = case
    groups = arguments.get("groups", 1)
    return integers((2, 4, *coarse), first), integers((4, 6 // groups, *kernel), second), arguments


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("first", "second", "wide"), PAIRS)
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_narrow_integers_are_added_up_without_loss(case, first, second, wide, layout):
    x, w, arguments = operands(case, first, second)
    exact = tconv.conv_transpose(x.astype("int64"), w.astype("int64"), method="matrix", **arguments)
    y = integers(exact.shape, first)
    back = {**arguments, "output_padding": None}
    exact_conv = tconv.conv(y.astype("int64"), w.astype("int64"), method="matrix", **back)
    exact_gradient = tconv.weight_gradient(x.astype("int64"), y.astype("int64"), w.shape[2:], method="matrix", **back)
    if layout == "channels_last":
        x, y, exact, exact_conv = (np.moveaxis(a, 1, -1) for a in (x, y, exact, exact_conv))
    calls = [
        (tconv.conv_transpose, (x, w), arguments, exact),
        (tconv.conv, (y, w), back, exact_conv),
        (tconv.weight_gradient, (x, y, w.shape[2:]), back, exact_gradient),
    ]
    for function, arrays, given, expected in calls:
        found = function(*arrays, layout=layout, dtype=wide, **given)
        assert found.dtype == wide
        np.testing.assert_array_equal(found, expected)
        out = np.empty(expected.shape, wide)
        assert function(*arrays, layout=layout, out=out, **given) is out
        np.testing.assert_array_equal(out, expected)


def test_the_bias_may_be_wide_already():
    x, w = integers((1, 4, 5), "uint8"), integers((4, 6, 3), "int8")
    for bias in (np.arange(6, dtype="int32") * 100_000, np.arange(6, dtype="int8")):
        found = tconv.conv_transpose(x, w, bias, dtype=np.int32)
        np.testing.assert_array_equal(found, tconv.conv_transpose(x, w, dtype="int32") + bias[:, None].astype("int32"))


def test_other_numbers_too():
    x, w = RNG.normal(size=(1, 4, 9)).astype("float16"), RNG.normal(size=(4, 6, 3)).astype("float16")
    found = tconv.conv_transpose(x, w, dtype="float32")
    np.testing.assert_array_equal(found, tconv.conv_transpose(x.astype("float32"), w.astype("float32")))
    np.testing.assert_array_equal(found.astype("float16"), tconv.conv_transpose(x, w))
    mixed = tconv.conv_transpose(x, w.astype("float64"), dtype=float)
    assert mixed.dtype == np.float64


def test_without_it_integers_wrap_as_before():
    x, w = np.full((1, 1, 1), 100, "int8"), np.full((1, 1, 1), 2, "int8")
    assert tconv.conv_transpose(x, w).tolist() == [[[-56]]]
    assert tconv.conv_transpose(x, w, out=np.empty((1, 1, 1), "int8")).tolist() == [[[-56]]]
    assert tconv.conv_transpose(x, w, dtype="int32").tolist() == [[[200]]]


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"dtype": "uint8"}, TypeError, "w must have a dtype whose values uint8 holds; got int8"),
        ({"dtype": "float16"}, None, ""),
        (
            {"dtype": "int7"},
            TypeError,
            "dtype must be one of float16, bfloat16, float32, float64, complex64, complex128, int8, ",
        ),
        ({"out": np.empty((1, 2, 3), "uint8")}, TypeError, "w must have a dtype whose values uint8 holds; got int8"),
        ({"out": np.empty((1, 2, 3), "float32")}, TypeError, "w must have the dtype of x, uint8; got int8"),
        ({}, TypeError, "w must have the dtype of x, uint8; got int8"),
        (
            {"dtype": "int32", "out": np.empty((1, 2, 3), "int64")},
            TypeError,
            "out must have dtype int32, in native byte",
        ),
    ],
)
def test_what_does_not_fit(change, kind, said):
    x, w = np.ones((1, 1, 3), "uint8"), np.ones((1, 2, 1), "int8")
    if kind is None:
        assert tconv.conv_transpose(x, w, **change).dtype == change["dtype"]
        return
    with pytest.raises(kind) as caught:
        tconv.conv_transpose(x, w, **change)
    assert str(caught.value).startswith(f"conv_transpose: {said}")


# ---- what plan says


def test_plan_names_a_wrap_and_what_holds_the_sums():
    x, w = np.zeros((1, 512, 8, 8), "uint8"), np.zeros((512, 64, 4, 4), "int8")
    plan = tconv.plan(x, w, stride=2, dtype="int32")
    assert plan.sums == "sums of 2,048 products of uint8 and int8 fit into int32: nothing is lost"
    assert f"  {plan.sums}\n" in str(plan)
    assert tconv.plan(w.shape[:1] * 3, w, dtype="int8").sums == (
        'sums of up to 8,192 products of int8 may reach 134,217,728: they wrap around in int8; dtype="int32" holds them'
    )
    assert tconv.plan((1, 2, 3), (2, 1, 1), dtype="int64").sums == (
        "sums of up to 2 products of int64 may reach 170,141,183,460,469,231,731,687,303,715,884,105,728: "
        "they wrap around in int64"
    )
    assert tconv.plan((1, 2, 3), (2, 1, 1)).sums == ""
    assert "products of" not in str(tconv.plan((1, 2, 3), (2, 1, 1), dtype="float16"))


@pytest.mark.parametrize("case", CASES)
def test_terms_are_those_of_the_definition(case):
    x, w, arguments = operands(case, "int8", "int8")
    plan = tconv.plan(x, w, **arguments)
    g, p = plan.geometry, plan.problem
    counts = {}
    for _, _, fine in links_of(g):
        counts[fine] = counts.get(fine, 0) + 1
    assert max(counts.values()) * p.cin <= terms(p) <= p.taps * p.cin


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_extremes_reach_what_plan_says(dtype):
    info = np.iinfo(dtype)
    x, w = np.full((1, 3, 9), info.min, dtype), np.full((3, 1, 4), info.min, dtype)
    said = tconv.plan(x, w, stride=2).sums
    largest = tconv.conv_transpose(x, w, stride=2, dtype="int64").max()
    assert f"may reach {largest:,}:" in said


def test_a_mask_is_not_dropped_and_other_dtypes_are_refused():
    masked = np.ma.array(np.float32([[[1, 1e9, 1]]]), mask=[[[0, 1, 0]]])
    for value in (masked, np.ones((1, 1, 3), bool)):
        for keywords in ({}, {"dtype": "float64"}):
            with pytest.raises(TypeError):
                tconv.conv_transpose(value, np.ones((1, 1, 1), "float32"), **keywords)


def test_a_narrow_bias_follows_an_out_of_integers():
    x, w, bias = np.full((1, 1, 2), 2**20, "int32"), np.full((1, 1, 1), 3, "int32"), np.ones(1, "int8")
    out = np.empty((1, 1, 2), "int32")
    assert tconv.conv_transpose(x, w, bias, out=out).tolist() == [[[3 * 2**20 + 1] * 2]]
