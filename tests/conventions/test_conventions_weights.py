"""Weight layouts: there and back, as functions and as lines of code."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import run

from tconv.conventions import DIALECTS, weight_from_tconv, weight_to_tconv, weights

pytestmark = pytest.mark.quick

#: (dialect, transpose_kernel, groups); JAX's transpose_kernel=True has no groups.
KERNELS = [*((name, False, groups) for name in DIALECTS for groups in (1, 2, 3)), ("jax", True, 1)]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("name", "transposed_kernel", "groups"), KERNELS)
def test_weights_return_unchanged(name, transposed_kernel, ndim, groups):
    w = np.arange(2 * groups * 2 * 2 * 3**ndim).reshape(2 * groups, 4, *[3] * ndim)
    options = {"groups": groups, "transpose_kernel": transposed_kernel}
    there = weight_from_tconv(w, name, **options)
    back = weight_to_tconv(there, name, **options)
    np.testing.assert_array_equal(back, w)
    assert back.dtype == w.dtype
    if groups == 1:
        assert np.shares_memory(there, w)
        assert np.shares_memory(back, w)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("tconv", {}, (4, 3, 5, 6)),
        ("torch", {}, (4, 3, 5, 6)),
        ("onnx", {}, (4, 3, 5, 6)),
        ("caffe", {}, (4, 3, 5, 6)),
        ("keras", {}, (5, 6, 3, 4)),
        ("jax", {}, (5, 6, 4, 3)),
        ("jax", {"transpose_kernel": True}, (5, 6, 3, 4)),
        ("tflite", {}, (3, 5, 6, 4)),
        ("torch", {"groups": 2}, (4, 3, 5, 6)),
        ("jax", {"groups": 2}, (5, 6, 2, 6)),
        ("keras", {"groups": 2}, (5, 6, 6, 4)),
        ("tflite", {"groups": 2}, (6, 5, 6, 4)),
        ("keras", {"dilation": (2, 3)}, (9, 16, 3, 4)),
    ],
)
def test_weight_layouts(name, options, shape):
    assert weight_from_tconv(np.zeros((4, 3, 5, 6)), name, **options).shape == shape


def test_dense_kernels_hold_zeros_between_groups_and_taps():
    w = np.random.default_rng(0).normal(size=(4, 3, 2, 2))
    dense = weight_from_tconv(w, "keras", groups=2, dilation=2)
    assert dense.shape == (3, 3, 6, 4)
    assert np.count_nonzero(dense) == w.size
    np.testing.assert_array_equal(weight_to_tconv(dense, "keras", groups=2, dilation=2), w)


@pytest.mark.parametrize("dilation", [None, (2, 1)])
@pytest.mark.parametrize(("name", "transposed_kernel", "groups"), KERNELS)
def test_the_weight_lines_do_what_the_functions_do(name, transposed_kernel, groups, dilation):
    layout = DIALECTS[name].layout({"transpose_kernel": transposed_kernel})
    w = np.random.default_rng(1).normal(size=(2 * groups, 3, 2, 3))
    there = weights.from_tconv(w, layout, groups, dilation)
    left = run("\n".join(weights.from_tconv_lines(layout, groups, dilation, 2)), w=w, np=np)
    if dilation is None:
        np.testing.assert_array_equal(left.get("kernel", w), there)
        if layout.grouping != "dense" or groups == 1:  # a dense kernel is a layer without groups
            left = run("\n".join(weights.to_tconv_lines(layout, groups, 2)), kernel=there, w=there)
            np.testing.assert_array_equal(left["w"], w)
    elif "kernel" in left:
        np.testing.assert_array_equal(left["kernel"], there)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: weight_to_tconv(np.ones((3, 3, 4, 4)), "keras", groups=2),
            ValueError,
            "weight_to_tconv: w must be zero between its 2 groups; it is not\n"
            "  called with w=(3, 3, 4, 4), dialect='keras', groups=2",
        ),
        (
            lambda: weight_to_tconv(np.ones((3, 3, 4, 4)), "keras", dilation=2),
            ValueError,
            "weight_to_tconv: w must be zero between the taps of dilation (2, 2); it is not\n"
            "  called with w=(3, 3, 4, 4), dialect='keras', groups=1",
        ),
        (
            lambda: weight_from_tconv(np.ones((4, 4, 3)), "jax", groups=2, transpose_kernel=True),
            ValueError,
            "weight_from_tconv: groups must be 1 with transpose_kernel=True, which has no groups; got 2\n"
            "  called with w=(4, 4, 3), dialect='jax', groups=2",
        ),
        (
            lambda: weight_from_tconv(np.ones((4, 4, 3)), "torch", transpose_kernel=True),
            ValueError,
            'weight_from_tconv: transpose_kernel must be left out for any dialect but "jax", "flax", "nnx"; '
            "got it for 'torch'\n"
            "  called with w=(4, 4, 3), dialect='torch', groups=1",
        ),
        (
            lambda: weight_from_tconv(np.ones((4, 4)), "torch"),
            TypeError,
            "weight_from_tconv: w must be a NumPy array of at least 3 axes, two of channels and one an axis; "
            "got 2 axes\n  called with w=(4, 4), dialect='torch', groups=1",
        ),
        (
            lambda: weight_from_tconv(np.ones((4, 4, 3)), "jax", groups=3),
            ValueError,
            "weight_from_tconv: groups must divide the input channels of w = 4; got 3\n"
            "  called with w=(4, 4, 3), dialect='jax', groups=3",
        ),
        (
            lambda: weight_to_tconv(np.ones((4, 4, 3)), "jax", transpose_kernel=()),
            TypeError,
            "weight_to_tconv: transpose_kernel must be True or False; got ()\n"
            "  called with w=(4, 4, 3), dialect='jax', groups=1",
        ),
        (
            lambda: weight_from_tconv(np.ones((4, 4, 3)), "torch", transpose_kernel=()),
            TypeError,
            "weight_from_tconv: transpose_kernel must be True or False; got ()\n"
            "  called with w=(4, 4, 3), dialect='torch', groups=1",
        ),
        (
            lambda: weight_from_tconv(np.ones((2, 3, 3, 3)), "keras", dilation=10**30),
            ValueError,
            "weight_from_tconv: w with its dilation written out as zeros must have a size below 2**63 bytes; it would "
            f"take {48 * (2 * 10**30 + 1) ** 2}\n  called with w=(2, 3, 3, 3), dialect='keras', groups=1",
        ),
        (
            lambda: weight_to_tconv(np.ones((3, 3, 2, 3)), "keras", dilation=10**30),
            ValueError,
            f"weight_to_tconv: w must be zero between the taps of dilation {(10**30, 10**30)}; it is not\n"
            "  called with w=(3, 3, 2, 3), dialect='keras', groups=1",
        ),
        (
            lambda: DIALECTS["keras"].spell({"groups": 2}),
            ValueError,
            'keras.spell: Keras can be told "kernel", "stride", "padding", "output_padding", "dilation", '
            '"out_channels", "bias"; got \'groups\'',
        ),
    ],
)
def test_weights_and_words_that_cannot_be(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_zeros_beyond_memory_are_refused(monkeypatch):
    monkeypatch.setattr("tconv.checks.physical_memory", lambda: 2**30)
    with pytest.raises(MemoryError) as caught:
        weight_from_tconv(np.ones((2, 3, 3, 3)), "keras", dilation=10**6)
    assert str(caught.value) == (
        "weight_from_tconv: w with its dilation written out as zeros must fit into memory, 1.0 GiB; "
        "it would take 178814.1 GiB\n  called with w=(2, 3, 3, 3), dialect='keras', groups=1"
    )
    with pytest.raises(MemoryError) as caught:
        weight_from_tconv(np.broadcast_to(1.0, (2**16, 1, 3)), "keras", groups=2**16)
    assert str(caught.value) == (
        "weight_from_tconv: w with zeros between its groups must fit into memory, 1.0 GiB; it would take 96.0 GiB\n"
        "  called with w=(65536, 1, 3), dialect='keras', groups=65536"
    )


def test_a_single_tap_may_have_any_dilation():
    w = np.ones((2, 3, 1))
    there = weight_from_tconv(w, "keras", dilation=10**30)
    assert there.shape == (1, 3, 2)
    np.testing.assert_array_equal(weight_to_tconv(there, "keras", dilation=10**30), w)
