"""What users read when they pass something wrong together with JAX arrays: the full texts, raised before any work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tconv
import tconv.jax

pytestmark = pytest.mark.quick

X, W = jnp.ones((2, 8, 4, 5)), jnp.ones((8, 6, 3, 3))
CALLED = "\n  called with x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3)"
DTYPES = (
    "float16, bfloat16, float32, float64, complex64, complex128, "
    "int8, int16, int32, int64, uint8, uint16, uint32, uint64"
)

WRONG = [
    ({"stride": 0}, ValueError, "stride must be an integer of at least 1; got 0", ", stride=0"),
    (
        {"padding": 4},
        ValueError,
        "padding must leave at least 1 cell; (4, 4) crops coarse size 4 to fine size -2 (axis 0)",
        ", padding=4",
    ),
    ({"groups": 3}, ValueError, "groups must divide the channels of x, Cin = 8; got 3", ", groups=3"),
    (
        {"layout": "NCHW"},
        ValueError,
        'layout must be one of "channels_first", "channels_last"; got \'NCHW\'; did you mean "channels_first"?',
        ", layout='NCHW'",
    ),
    (
        {"method": "gemm"},
        ValueError,
        'method must be one of "auto", "native", "stacked", "blocks", "phases", "columns", "taps"; got \'gemm\'',
        ", method='gemm'",
    ),
    (
        {"out": np.empty((2, 6, 6, 7), np.float32)},
        TypeError,
        "out must be None for JAX arrays, which are never written into",
        ", out=float32 (2, 6, 6, 7)",
    ),
    ({"bias": jnp.ones(5)}, ValueError, "bias must have shape (6,); got (5,)", ", bias=float32 (5,)"),
    (
        {"bias": [0.0] * 6},
        TypeError,
        "bias must be a JAX array; got [0.0, 0.0, 0.0, 0.0, 0.0, 0.0] of type list",
        ", bias=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]",
    ),
]


@pytest.mark.parametrize("function", [tconv.jax.conv_transpose, tconv.conv_transpose])
@pytest.mark.parametrize(("arguments", "kind", "reason", "shown"), WRONG)
def test_wrong_arguments(function, arguments, kind, reason, shown):
    with pytest.raises(kind) as caught:
        function(X, W, **arguments)
    assert str(caught.value) == f"conv_transpose: {reason}{CALLED}{shown}"


@pytest.mark.parametrize(
    ("x", "w", "kind", "message"),
    [
        (
            jnp.ones((2, 7, 4, 5)),
            W,
            ValueError,
            "x must have 8 channels, the first size of w; got 7\n"
            "  called with x=float32 (2, 7, 4, 5), w=float32 (8, 6, 3, 3)",
        ),
        (
            X,
            W.astype(jnp.bfloat16),
            TypeError,
            'w must have the dtype of x, float32; got bfloat16; w.astype("float32")?\n'
            "  called with x=float32 (2, 8, 4, 5), w=bfloat16 (8, 6, 3, 3)",
        ),
        (
            X > 0,
            W,
            TypeError,
            f'the dtype of x must be one of {DTYPES}; got bool; .astype("uint8") keeps 0 and 1\n'
            "  called with x=bool (2, 8, 4, 5), w=float32 (8, 6, 3, 3)",
        ),
        (
            np.ones((2, 8, 4, 5)),
            W,
            TypeError,
            'x must have a dtype that JAX keeps; float64 needs jax.config "jax_enable_x64"\n'
            "  called with x=float64 (2, 8, 4, 5), w=float32 (8, 6, 3, 3)",
        ),
        (
            [1.0],
            W,
            TypeError,
            "x must be a JAX array; got [1.0] of type list\n  called with x=[1.0], w=float32 (8, 6, 3, 3)",
        ),
        (
            jnp.ones((2, 8, 0, 5)),
            W,
            ValueError,
            "x must have no empty axis but the batch; got shape (2, 8, 0, 5)\n"
            "  called with x=float32 (2, 8, 0, 5), w=float32 (8, 6, 3, 3)",
        ),
    ],
)
def test_wrong_arrays(x, w, kind, message):
    with pytest.raises(kind) as caught:
        tconv.jax.conv_transpose(x, w)
    assert str(caught.value) == f"conv_transpose: {message}"


Y = jnp.ones((2, 6, 9, 11))
NO_METHOD = 'method must be one of "auto", "native", "stacked", "blocks", "phases", "columns", "taps"; got \'gemm\''
NO_OUT = "out must be None for JAX arrays, which are never written into"
FOR_DOWN = "y=float32 (2, 6, 9, 11), w=float32 (8, 6, 3, 3)"
FOR_GRADIENT = "x=float32 (2, 8, 4, 5), y=float32 (2, 6, 9, 11), kernel_size="

DOWN = [
    ((Y, W), {"method": "gemm"}, ValueError, NO_METHOD, FOR_DOWN + ", method='gemm'"),
    ((Y, W), {"out": X}, TypeError, NO_OUT, FOR_DOWN + ", out=float32 (2, 8, 4, 5)"),
    (
        (Y, W),
        {"layout": "NHWC"},
        ValueError,
        'layout must be one of "channels_first", "channels_last"; got \'NHWC\'; did you mean "channels_last"?',
        FOR_DOWN + ", layout='NHWC'",
    ),
    (
        (Y, W, jnp.ones(6)),
        {},
        ValueError,
        "bias must have shape (8,); got (6,)",
        FOR_DOWN + ", bias=float32 (6,)",
    ),
    (
        (Y, W, jnp.ones(8, "int32")),
        {},
        TypeError,
        'bias must have the dtype of y, float32; got int32; bias.astype("float32")?',
        FOR_DOWN + ", bias=int32 (8,)",
    ),
    (
        (Y, W.astype("int8")),
        {},
        TypeError,
        'w must have the dtype of y, float32; got int8; w.astype("float32")?',
        "y=float32 (2, 6, 9, 11), w=int8 (8, 6, 3, 3)",
    ),
    (
        (Y, [1.0]),
        {},
        TypeError,
        "w must be a JAX array; got [1.0] of type list",
        "y=float32 (2, 6, 9, 11), w=[1.0]",
    ),
    (
        (Y.astype(bool), W),
        {},
        TypeError,
        f'the dtype of y must be one of {DTYPES}; got bool; .astype("uint8") keeps 0 and 1',
        "y=bool (2, 6, 9, 11), w=float32 (8, 6, 3, 3)",
    ),
    (
        (Y[:, :4], W),
        {},
        ValueError,
        "y must have 6 channels, the second size of w; got 4",
        "y=float32 (2, 4, 9, 11), w=float32 (8, 6, 3, 3)",
    ),
    (
        (Y, W),
        {"stride": 2, "output_size": (4, 4)},
        ValueError,
        "output_size must be 5 for fine size 11; got 4 (axis 1)",
        FOR_DOWN + ", stride=2, output_size=(4, 4)",
    ),
]

GRADIENT = [
    ((X, Y, 3), {"method": "gemm"}, ValueError, NO_METHOD, FOR_GRADIENT + "3, method='gemm'"),
    (
        (X, Y, 3),
        {"out": W},
        TypeError,
        NO_OUT,
        "x=float32 (2, 8, 4, 5), y=float32 (2, 6, 9, 11), out=float32 (8, 6, 3, 3), kernel_size=3",
    ),
    ((X, Y, 3), {}, ValueError, "the size of y must be 6 for size 4 of x; got 9 (axis 0)", FOR_GRADIENT + "3"),
    ((X, Y, 0), {}, ValueError, "kernel_size must be an integer of at least 1; got 0", FOR_GRADIENT + "0"),
    ((X, Y, 3.0), {}, TypeError, "kernel_size must be an integer; got 3.0 of type float", FOR_GRADIENT + "3.0"),
    (
        (X, Y.astype("float16"), 3),
        {},
        TypeError,
        'y must have the dtype of x, float32; got float16; y.astype("float32")?',
        "x=float32 (2, 8, 4, 5), y=float16 (2, 6, 9, 11), kernel_size=3",
    ),
    (
        (X, None, 3),
        {},
        TypeError,
        "y must be a JAX array; got None of type NoneType",
        "x=float32 (2, 8, 4, 5), y=None, kernel_size=3",
    ),
    (
        (X, Y, 3),
        {"stride": 2, "groups": 4},
        ValueError,
        "groups must divide the channels of y, Cout = 6; got 4",
        FOR_GRADIENT + "3, stride=2, groups=4",
    ),
    (
        (X, Y, 3),
        {"stride": 2, "output_padding": 1},
        ValueError,
        "output_padding must be (0, 0), as the sizes of x and y imply, or be left out; got 1",
        FOR_GRADIENT + "3, stride=2, output_padding=1",
    ),
]


@pytest.mark.parametrize("home", [tconv, tconv.jax], ids=["tconv", "tconv.jax"])
@pytest.mark.parametrize(
    ("operation", "arguments", "keywords", "kind", "reason", "called_with"),
    [*[("conv", *case) for case in DOWN], *[("weight_gradient", *case) for case in GRADIENT]],
)
def test_adjoints(home, operation, arguments, keywords, kind, reason, called_with):
    with pytest.raises(kind) as caught:
        getattr(home, operation)(*arguments, **keywords)
    assert str(caught.value) == f"{operation}: {reason}\n  called with {called_with}"


def test_traced_arguments_of_the_window():
    with pytest.raises(TypeError, match="stride must be an integer; got "):
        jax.jit(lambda s: tconv.jax.conv_transpose(X, W, stride=s))(2)


def test_numpy_arrays_are_not_affected():
    with pytest.raises(ValueError, match='method must be one of "auto", "matrix"'):
        tconv.conv_transpose(np.ones((1, 1, 3)), np.ones((1, 1, 3)), method="stacked")
