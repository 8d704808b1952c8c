"""What `tconv.ConvTranspose` and `Conv` say of wrong arguments, at construction and in a call: the whole text."""

import numpy as np
import pytest

import tconv

X, W = np.zeros((2, 4, 5, 7), np.float32), np.zeros((4, 6, 3, 3), np.float32)
B = np.zeros(6, np.float32)
DTYPES = ", ".join(tconv.arrays.DTYPES)


def text_of(kind, call, *arguments, **keywords):
    with pytest.raises(kind) as error:
        call(*arguments, **keywords)
    assert type(error.value) is kind
    return str(error.value)


CONSTRUCTION = [
    ([[1.0]], {}, TypeError, "w must be a NumPy array; got [[1.0]] of type list"),
    (W > 0, {}, TypeError, f"the dtype of w must be one of {DTYPES}; got bool; .astype(\"uint8\") keeps 0 and 1"),
    (
        W[0, 0],
        {},
        ValueError,
        "w must have shape (Cin, Cout / groups, *kernel), so at least 3 axes; got (3, 3); is w a kernel alone: "
        "w[None, None]?",
    ),
    (W[:0], {}, ValueError, "w must have no empty axis; got shape (0, 6, 3, 3)"),
    (W, {"bias": B[:5]}, ValueError, "bias must have shape (6,); got (5,)"),
    (W, {"bias": B, "groups": 2}, ValueError, "bias must have shape (12,); got (6,)"),
    (
        W,
        {"bias": B.astype(np.float64)},
        TypeError,
        'bias must have the dtype of w, float32; got float64; bias.astype("float32")?',
    ),
    (W, {"bias": [0] * 6}, TypeError, "bias must be a NumPy array; got [0, 0, 0, 0, 0, 0] of type list"),
    (W, {"groups": 3}, ValueError, "groups must divide the channels of x, Cin = 4; got 3"),
    (W, {"groups": 0}, ValueError, "groups must be an integer of at least 1; got 0"),
    (W, {"stride": 0}, ValueError, "stride must be an integer of at least 1; got 0"),
    (W, {"stride": 2.0}, TypeError, "stride must be an integer; got 2.0 of type float"),
    (W, {"stride": (1, 2, 3)}, ValueError,
     "stride must be an integer or a sequence of 2 integers, one an axis; got (1, 2, 3)"),
    (W, {"dilation": (1, 0)}, ValueError, "dilation[1] must be an integer of at least 1; got 0"),
    (W, {"padding": "full"}, ValueError,
     "padding must be \"same\", \"valid\", an integer or (low, high) pairs; got 'full'"),
    (
        W,
        {"layout": "NCHW"},
        ValueError,
        'layout must be one of "channels_first", "channels_last"; got \'NCHW\'; did you mean "channels_first"?',
    ),
    (W, {"method": "fast"}, ValueError,
     'method must be one of "auto", "matrix", "zero_insertion", "gemm", "phases", "fft", '
     '"jit", "winograd"; got \'fast\''),
]  # fmt: skip


@pytest.mark.parametrize(("w", "keywords", "kind", "reason"), CONSTRUCTION)
def test_construction(w, keywords, kind, reason):
    assert text_of(kind, tconv.ConvTranspose, w, **keywords) == f"ConvTranspose: {reason}"
    if "bias" not in keywords or "got (" not in reason:  # of a convolution it has other channels
        assert text_of(kind, tconv.Conv, w, **keywords) == f"Conv: {reason}"


def test_the_bias_of_a_convolution_has_the_channels_of_x():
    assert text_of(ValueError, tconv.Conv, W, B) == "Conv: bias must have shape (4,); got (6,)"


OP = tconv.ConvTranspose(W, B, stride=2)
SHOWN = "ConvTranspose(w float32 (4, 6, 3, 3), bias, stride=2)"
CALLS = [
    ([1], TypeError, "x must be a NumPy array; got [1] of type list", "x=[1]"),
    (
        X.astype(np.float64),
        TypeError,
        'x must have the dtype of w, float32; got float64; x.astype("float32")?',
        "x=float64 (2, 4, 5, 7)",
    ),
    (X[:, :3], ValueError, "x must have 4 channels, the first size of w; got 3", "x=float32 (2, 3, 5, 7)"),
    (X[0, 0], ValueError, "x must have shape (N, C, *size) or (C, *size) with 2 axes of size; got (5, 7)",
     "x=float32 (5, 7)"),
    (X[..., :0], ValueError, "x must have no empty axis but the batch; got shape (2, 4, 5, 0)",
     "x=float32 (2, 4, 5, 0)"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "kind", "reason", "shown"), CALLS)
def test_x(x, kind, reason, shown):
    OP(X)
    assert text_of(kind, OP, x) == f"ConvTranspose: {reason}\n  called with x={shown[2:]}, {SHOWN}"


def test_y():
    op, y = tconv.Conv(W, B[:4], stride=2), np.zeros((2, 6, 11, 15), np.float32)
    shown = "Conv(w float32 (4, 6, 3, 3), bias, stride=2)"
    assert text_of(ValueError, op, y[:, :5]) == (
        f"Conv: y must have 6 channels, the second size of w; got 5\n  called with y=float32 (2, 5, 11, 15), {shown}"
    )
    assert text_of(ValueError, op, y[..., :1]).startswith("Conv: kernel must fit into the padded size: kernel 3")
    assert text_of(ValueError, op, y, np.zeros((2, 4, 5, 6), np.float32)) == (
        "Conv: out must have shape (2, 4, 5, 7); got (2, 4, 5, 6)\n"
        "  called with y=float32 (2, 6, 11, 15), out=float32 (2, 4, 5, 6)"
    )


OUT = np.zeros((2, 6, 11, 15), np.float32)
READ_ONLY = OUT.copy()
READ_ONLY.flags.writeable = False
REPEATED = np.lib.stride_tricks.as_strided(OUT, OUT.shape, (0, *OUT.strides[1:]))
OUTS = [
    ([1], TypeError, "out must be a NumPy array; got [1] of type list", "[1]"),
    (OUT[:1], ValueError, "out must have shape (2, 6, 11, 15); got (1, 6, 11, 15)", "float32 (1, 6, 11, 15)"),
    (OUT.astype(np.float64), TypeError, "out must have dtype float32, in native byte order; got float64",
     "float64 (2, 6, 11, 15)"),
    (OUT.astype(">f4"), TypeError, "out must have dtype float32, in native byte order; got >f4",
     ">f4 (2, 6, 11, 15)"),
    (READ_ONLY, ValueError, "out must be writeable; got a read-only array", "float32 (2, 6, 11, 15)"),
    (REPEATED, ValueError, f"out must hold each element once; got strides {REPEATED.strides} for shape (2, 6, 11, 15)",
     "float32 (2, 6, 11, 15)"),
]  # fmt: skip


@pytest.mark.parametrize(("out", "kind", "reason", "shown"), OUTS)
def test_out(out, kind, reason, shown):
    OP(X)
    said = f"ConvTranspose: {reason}\n  called with x=float32 (2, 4, 5, 7), out={shown}"
    assert text_of(kind, OP, X, out) == said


def test_out_that_shares_memory_with_x():
    OP(X)
    memory = np.zeros(OUT.size + X.size, np.float32)
    x, out = memory[: X.size].reshape(X.shape), memory[X.size - 1 : -1].reshape(OUT.shape)
    assert text_of(ValueError, OP, x, out) == (
        "ConvTranspose: out must share no memory with x; got arrays that overlap\n"
        "  called with x=float32 (2, 4, 5, 7), out=float32 (2, 6, 11, 15)"
    )


def test_sizes_are_settled_in_the_call():
    op = tconv.ConvTranspose(W, stride=2, output_padding=2)
    assert text_of(ValueError, op, X).splitlines() == [
        "ConvTranspose: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2 (axis 0)",
        "  called with x=float32 (2, 4, 5, 7), ConvTranspose(w float32 (4, 6, 3, 3), stride=2, output_padding=2)",
    ]
    op = tconv.ConvTranspose(W, stride=2, output_size=(11, 15))
    assert op(X).shape == (2, 6, 11, 15)
    assert text_of(ValueError, op, X[..., :1]).startswith("ConvTranspose: output_size")


def test_a_method_that_cannot_is_named():
    integers = tconv.ConvTranspose(W.astype(np.int32), method="jit")
    assert text_of(ValueError, integers, X.astype(np.int32)).splitlines()[0] == (
        'ConvTranspose: method "jit" computes floating point and complex numbers only, not int32'
    )
