"""What users read when they pass something wrong to an operation: the full texts."""

import numpy as np
import pytest

import tconv

pytestmark = pytest.mark.quick

X, W, Y = np.ones((2, 8, 4, 5), np.float32), np.ones((8, 6, 3, 3), np.float32), np.ones((2, 6, 9, 11), np.float32)
FOR_UP = "\n  called with x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3)"
FOR_DOWN = "\n  called with y=float32 (2, 6, 9, 11), w=float32 (8, 6, 3, 3)"
FOR_GRADIENT = "\n  called with x=float32 (2, 8, 4, 5), y=float32 (2, 6, 9, 11)"
DTYPES = (
    "float16, bfloat16, float32, float64, complex64, complex128, "
    "int8, int16, int32, int64, uint8, uint16, uint32, uint64"
)
READ_ONLY = np.empty((2, 6, 6, 7), np.float32)
READ_ONLY.flags.writeable = False

UP = [
    # numbers of the window
    ({"stride": 0}, ValueError, "stride must be an integer of at least 1; got 0", ", stride=0"),
    ({"stride": -2}, ValueError, "stride must be an integer of at least 1; got -2", ", stride=-2"),
    ({"stride": 2.0}, TypeError, "stride must be an integer; got 2.0 of type float", ", stride=2.0"),
    ({"stride": True}, TypeError, "stride must be an integer; got True", ", stride=True"),
    ({"stride": None}, TypeError, "stride must be an integer of at least 1; got None of type NoneType", ""),
    ({"stride": "2"}, TypeError, "stride must be an integer of at least 1; got '2' of type str", ", stride='2'"),
    (
        {"stride": (2, 2, 2)},
        ValueError,
        "stride must be an integer or a sequence of 2 integers, one an axis; got (2, 2, 2)",
        ", stride=(2, 2, 2)",
    ),
    ({"stride": (2, 0)}, ValueError, "stride[1] must be an integer of at least 1; got 0", ", stride=(2, 0)"),
    ({"dilation": 0}, ValueError, "dilation must be an integer of at least 1; got 0", ", dilation=0"),
    (
        {"padding": 0.5},
        TypeError,
        "padding must be an integer; got 0.5 of type float; one cell more at one end is a (low, high) pair, such as "
        "(0, 1)",
        ", padding=0.5",
    ),
    (
        {"stride": 0.5},
        TypeError,
        "stride must be an integer; got 0.5 of type float; stride 2 of a transposed convolution is what texts call a "
        "fractional stride 1/2",
        ", stride=0.5",
    ),
    (
        {"padding": "full"},
        ValueError,
        'padding must be "same", "valid", an integer or (low, high) pairs; got \'full\'',
        ", padding='full'",
    ),
    (
        {"padding": (1, 2, 3)},
        ValueError,
        'padding must be "same", "valid", one integer, or a sequence of 2 entries, one an axis, each an integer or a '
        "(low, high) pair; got (1, 2, 3)",
        ", padding=(1, 2, 3)",
    ),
    (
        {"padding": ((1, 2, 3), 0)},
        ValueError,
        "padding[0] must be an integer or a (low, high) pair of them; got (1, 2, 3)",
        ", padding=((1, 2, 3), 0)",
    ),
    (
        {"padding": 4},
        ValueError,
        "padding must leave at least 1 cell; (4, 4) crops coarse size 4 to fine size -2 (axis 0)",
        ", padding=4",
    ),
    # which fine size
    (
        {"output_padding": ()},
        ValueError,
        "output_padding must be an integer or a sequence of 2 integers, one an axis; got ()",
        ", output_padding=()",
    ),
    (
        {"output_padding": 1},
        ValueError,
        "output_padding must be less than max(stride, dilation) = max(1, 1) = 1; got 1 (axis 0)",
        ", output_padding=1",
    ),
    (
        {"output_padding": -1},
        ValueError,
        "output_padding must be an integer of at least 0; got -1",
        ", output_padding=-1",
    ),
    (
        {"stride": 2, "output_size": (9, 13)},
        ValueError,
        "output_size must be one of 11, 12 for coarse size 5; got 13 (axis 1)",
        ", stride=2, output_size=(9, 13)",
    ),
    (
        {"stride": 2, "output_size": 9, "output_padding": 1},
        ValueError,
        "output_padding and output_size must not both be given; got 1 and 9 (axis 0)",
        ", stride=2, output_padding=1, output_size=9",
    ),
    (
        {"stride": 2, "padding": "same", "output_padding": 1},
        ValueError,
        'output_padding must be left out with padding="same", where output_size names another size; got 1 (axis 0)',
        ", stride=2, padding='same', output_padding=1",
    ),
    (
        {"stride": 2, "padding": "same", "output_size": 9},
        ValueError,
        "output_size must be one of 7, 8 for coarse size 4; got 9 (axis 0)",
        ", stride=2, padding='same', output_size=9",
    ),
    # channels, groups, words
    ({"groups": 3}, ValueError, "groups must divide the channels of x, Cin = 8; got 3", ", groups=3"),
    ({"groups": 0}, ValueError, "groups must be an integer of at least 1; got 0", ", groups=0"),
    (
        {"layout": "NHWC"},
        ValueError,
        'layout must be one of "channels_first", "channels_last"; got \'NHWC\'; did you mean "channels_last"?',
        ", layout='NHWC'",
    ),
    (
        {"layout": "channels_last"},
        ValueError,
        'x must have 8 channels, the first size of w; got 5; x has 8 channels first: layout="channels_first"?',
        ", layout='channels_last'",
    ),
    (
        {"layout": []},
        TypeError,
        'layout must be one of "channels_first", "channels_last"; got [] of type list',
        ", layout=[]",
    ),
    (
        {"method": "fast"},
        ValueError,
        'method must be one of "auto", "matrix", "zero_insertion", "gemm", "phases", "fft", '
        '"jit", "winograd"; got \'fast\'',
        ", method='fast'",
    ),
    # beyond memory and beyond an index
    (
        {"stride": 10**12},
        ValueError,
        "the result must have a size below 2**63 bytes; it would take 576000000001008000000000432",
        ", stride=1000000000000",
    ),
]

ARRAYS_UP = [
    (([1.0], W), {}, TypeError, "x must be a NumPy array; got [1.0] of type list", "x=[1.0], w=float32 (8, 6, 3, 3)"),
    (
        (np.ma.masked_array(X), W),
        {},
        TypeError,
        "x must be a NumPy array; got ",
        "x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3)",
    ),
    (
        (np.ones((2, 6), np.float32).view(np.matrix), W),
        {},
        TypeError,
        "x must be a NumPy array; got ",
        "x=float32 (2, 6), w=float32 (8, 6, 3, 3)",
    ),
    ((X, None), {}, TypeError, "w must be a NumPy array; got None of type NoneType", "x=float32 (2, 8, 4, 5), w=None"),
    (
        (X, W.astype(np.float64)),
        {},
        TypeError,
        'w must have the dtype of x, float32; got float64; w.astype("float32")?',
        "x=float32 (2, 8, 4, 5), w=float64 (8, 6, 3, 3)",
    ),
    (
        (X.astype(np.longdouble), W),
        {},
        TypeError,
        f"the dtype of x must be one of {DTYPES}; got float128",
        "x=float128 (2, 8, 4, 5), w=float32 (8, 6, 3, 3)",
    ),
    (
        (X > 0, W > 0),
        {},
        TypeError,
        f'the dtype of x must be one of {DTYPES}; got bool; .astype("uint8") keeps 0 and 1',
        "x=bool (2, 8, 4, 5), w=bool (8, 6, 3, 3)",
    ),
    (
        (X[0, 0], W),
        {},
        ValueError,
        "x must have shape (N, C, *size) or (C, *size) with 2 axes of size; got (4, 5)",
        "x=float32 (4, 5), w=float32 (8, 6, 3, 3)",
    ),
    (
        (X, W[0, 0]),
        {},
        ValueError,
        "w must have shape (Cin, Cout / groups, *kernel), so at least 3 axes; got (3, 3); is w one kernel for all "
        "channels: np.broadcast_to(w, (8, 1, 3, 3)) with groups=8?",
        "x=float32 (2, 8, 4, 5), w=float32 (3, 3)",
    ),
    (
        (X[:, :4], W),
        {},
        ValueError,
        "x must have 8 channels, the first size of w; got 4",
        "x=float32 (2, 4, 4, 5), w=float32 (8, 6, 3, 3)",
    ),
    (
        (X[:, :, :0], W),
        {},
        ValueError,
        "x must have no empty axis but the batch; got shape (2, 8, 0, 5)",
        "x=float32 (2, 8, 0, 5), w=float32 (8, 6, 3, 3)",
    ),
    (
        (X, W[:, :0]),
        {},
        ValueError,
        "w must have no empty axis; got shape (8, 0, 3, 3)",
        "x=float32 (2, 8, 4, 5), w=float32 (8, 0, 3, 3)",
    ),
    (
        (X, W, np.ones(8, np.float32)),
        {},
        ValueError,
        "bias must have shape (6,); got (8,)",
        "x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3), bias=float32 (8,)",
    ),
    (
        (X, W, np.ones(6)),
        {},
        TypeError,
        'bias must have the dtype of x, float32; got float64; bias.astype("float32")?',
        "x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3), bias=float64 (6,)",
    ),
    (
        (X, W, 0),
        {},
        TypeError,
        "bias must be a NumPy array; got 0 of type int",
        "x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3), bias=0",
    ),
]

OUT = [
    ([0.0], TypeError, "out must be a NumPy array; got [0.0] of type list"),
    (np.empty((2, 6, 6, 6), np.float32), ValueError, "out must have shape (2, 6, 6, 7); got (2, 6, 6, 6)"),
    (np.empty((2, 6, 6, 7)), TypeError, "out must have dtype float32, in native byte order; got float64"),
    (np.empty((2, 6, 6, 7), ">f4"), TypeError, "out must have dtype float32, in native byte order; got >f4"),
    (READ_ONLY, ValueError, "out must be writeable; got a read-only array"),
    (
        np.lib.stride_tricks.as_strided(np.empty(999, np.float32), (2, 6, 6, 7), (0, 168, 28, 4)),
        ValueError,
        "out must hold each element once; got strides (0, 168, 28, 4) for shape (2, 6, 6, 7)",
    ),
]

DOWN = [
    (
        (Y[:, :4], W),
        {},
        ValueError,
        "y must have 6 channels, the second size of w; got 4",
        "\n  called with y=float32 (2, 4, 9, 11), w=float32 (8, 6, 3, 3)",
    ),
    (
        (Y, W),
        {"groups": 2},
        ValueError,
        "y must have 12 channels, the second size of w times groups=2; got 6",
        FOR_DOWN + ", groups=2",
    ),
    (
        (Y, W),
        {"dilation": 6},
        ValueError,
        "kernel must fit into the padded size: kernel 3 with dilation 6 spans 13 cells, size 9 with padding (0, 0) "
        "has 9 (axis 0)",
        FOR_DOWN + ", dilation=6",
    ),
    (
        (Y, W),
        {"stride": 2, "output_padding": 1},
        ValueError,
        "output_padding must be 0, what fine size 9 leaves over at stride 2; got 1 (leave it out to have it derived) "
        "(axis 0)",
        FOR_DOWN + ", stride=2, output_padding=1",
    ),
    (
        (Y, W),
        {"stride": 2, "output_size": (4, 4)},
        ValueError,
        "output_size must be 5 for fine size 11; got 4 (axis 1)",
        FOR_DOWN + ", stride=2, output_size=(4, 4)",
    ),
    (
        (Y, W, np.ones(6, np.float32)),
        {},
        ValueError,
        "bias must have shape (8,); got (6,)",
        FOR_DOWN + ", bias=float32 (6,)",
    ),
]

GRADIENT = [
    (
        (X, Y, 3),
        {},
        ValueError,
        "the size of y must be 6 for size 4 of x; got 9 (axis 0)",
        FOR_GRADIENT + ", kernel_size=3",
    ),
    (
        (X, Y[:1], 3),
        {"stride": 2},
        ValueError,
        "y must have the batch of x, batch 2; got batch 1",
        "\n  called with x=float32 (2, 8, 4, 5), y=float32 (1, 6, 9, 11), kernel_size=3, stride=2",
    ),
    (
        (X, Y[0], (3, 3)),
        {"stride": 2},
        ValueError,
        "y must have the batch of x, batch 2; got no batch axis",
        "\n  called with x=float32 (2, 8, 4, 5), y=float32 (6, 9, 11), kernel_size=(3, 3), stride=2",
    ),
    (
        (X, Y, 0),
        {"stride": 2},
        ValueError,
        "kernel_size must be an integer of at least 1; got 0",
        FOR_GRADIENT + ", kernel_size=0, stride=2",
    ),
    (
        (X, Y, None),
        {"stride": 2},
        TypeError,
        "kernel_size must be an integer of at least 1; got None of type NoneType",
        FOR_GRADIENT + ", stride=2",
    ),
    (
        (X, Y, 3),
        {"stride": 2, "groups": 4},
        ValueError,
        "groups must divide the channels of y, Cout = 6; got 4",
        FOR_GRADIENT + ", kernel_size=3, stride=2, groups=4",
    ),
    (
        (X, Y, 3),
        {"stride": 2, "output_padding": 1},
        ValueError,
        "output_padding must be (0, 0), as the sizes of x and y imply, or be left out; got 1",
        FOR_GRADIENT + ", kernel_size=3, stride=2, output_padding=1",
    ),
    (
        (X, Y, 3),
        {"stride": 2, "output_size": 9},
        ValueError,
        "output_size must be (9, 11), as the sizes of x and y imply, or be left out; got 9",
        FOR_GRADIENT + ", kernel_size=3, stride=2, output_size=9",
    ),
]


def text_of(kind, function, *arguments, **keywords):
    with pytest.raises(kind) as caught:
        function(*arguments, **keywords)
    assert caught.type is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return str(caught.value)


@pytest.mark.parametrize(("keywords", "kind", "reason", "echo"), UP)
def test_window_of_conv_transpose(keywords, kind, reason, echo):
    assert text_of(kind, tconv.conv_transpose, X, W, **keywords) == f"conv_transpose: {reason}{FOR_UP}{echo}"


@pytest.mark.parametrize(("arguments", "keywords", "kind", "reason", "called_with"), ARRAYS_UP)
def test_arrays_of_conv_transpose(arguments, keywords, kind, reason, called_with):
    text = text_of(kind, tconv.conv_transpose, *arguments, **keywords)
    assert text.startswith(f"conv_transpose: {reason}")
    assert text.endswith(f"\n  called with {called_with}")
    assert text == f"conv_transpose: {reason}\n  called with {called_with}" or reason.endswith("got ")


@pytest.mark.parametrize(("out", "kind", "reason"), OUT)
def test_out(out, kind, reason):
    text = text_of(kind, tconv.conv_transpose, X, W, out=out)
    assert text.splitlines()[0] == f"conv_transpose: {reason}"


@pytest.mark.parametrize("name", ["x", "w", "bias"])
def test_out_must_not_overlap_an_input(name):
    memory = np.ones(4000, np.float32)
    given = {"x": X, "w": W, "bias": np.ones(6, np.float32)}
    given[name] = memory[: given[name].size].reshape(given[name].shape)
    out = memory[:504].reshape(2, 6, 6, 7)
    text = text_of(ValueError, tconv.conv_transpose, *given.values(), out=out)
    assert text.splitlines()[0] == f"conv_transpose: out must share no memory with {name}; got arrays that overlap"


def test_out_beside_an_input_in_the_same_memory_is_fine():
    memory = np.ones((2, 504), np.float32)
    x = memory[0, :320].reshape(X.shape)
    tconv.conv_transpose(x, W, out=memory[1].reshape(2, 6, 6, 7))


@pytest.mark.parametrize(("arguments", "keywords", "kind", "reason", "echo"), DOWN)
def test_conv(arguments, keywords, kind, reason, echo):
    assert text_of(kind, tconv.conv, *arguments, **keywords) == f"conv: {reason}{echo}"


@pytest.mark.parametrize(("arguments", "keywords", "kind", "reason", "echo"), GRADIENT)
def test_weight_gradient(arguments, keywords, kind, reason, echo):
    assert text_of(kind, tconv.weight_gradient, *arguments, **keywords) == f"weight_gradient: {reason}{echo}"


def test_more_than_memory_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(tconv.checks, "physical_memory", lambda: 2**26)
    x, w = np.ones((1, 1, 16, 16), np.float32), np.ones((1, 1, 3, 3), np.float32)
    text = text_of(MemoryError, tconv.conv_transpose, x, w, stride=500)
    assert text == (
        "conv_transpose: the result must fit into memory, 64.0 MiB; it would take 214.7 MiB\n"
        "  called with x=float32 (1, 1, 16, 16), w=float32 (1, 1, 3, 3), stride=500"
    )
    text = text_of(MemoryError, tconv.conv_transpose, x, w, stride=200, method="zero_insertion")
    assert text.startswith(
        'conv_transpose: method "zero_insertion" needs 36.3 MiB of scratch memory; the result leaves 29.6 MiB\n'
    )
    assert tconv.conv_transpose(x, w, stride=200).shape == (1, 1, 3003, 3003)


def test_an_input_is_not_changed_by_a_refused_call():
    out = np.full((2, 6, 6, 7), 7, np.float32)
    text_of(ValueError, tconv.conv_transpose, X, W, np.ones(5, np.float32), out=out)
    assert (out == 7).all()
