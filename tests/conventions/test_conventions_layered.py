"""Dialects that share a form, executed in their frameworks: none is part of the test extra, each is run where it is."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import arrays, layers, transposed, up_to, wanted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pasted import ARRAYS, needed, result

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer, convert, weight_from_tconv
from tconv.conventions.layered import Layered

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # what the frameworks say to themselves
    pytest.mark.usefixtures("lightly_compiled"),
]
RUN = [name for name, dialect in DIALECTS.items() if isinstance(dialect, Layered) and dialect.was_run]
some = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
every_one = pytest.mark.parametrize("name", RUN)


def check_code(name, layer):
    x, w, b = arrays(layer)
    y = result(name, DIALECTS[name].write(layer).code, x, {"w": w, "b": b}, DIALECTS[name].channels)
    np.testing.assert_array_equal(y, wanted(layer))


@pytest.mark.parametrize("layer", up_to(3), ids=lambda layer: str(layer.geometry))
@every_one
def test_the_code_gives_our_result(name, layer):
    check_code(name, layer)


@every_one
@given(layer=layers(max_ndim=2))
@some
def test_the_code_gives_our_result_for_any_layer(name, layer):
    check_code(name, layer)


# -- what is read ------------------------------------------------------------------------------------------------------


def theirs(name, parameters, layer, groups=1, padded=None):
    """What the framework's own layer, built from these parameters, gives for the arrays of a layer."""
    dialect, n = DIALECTS[name], layer.geometry.ndim
    x, w, _ = arrays(layer)
    x = x if padded is None else np.pad(x, [(0, 0), (0, 0), *padded], mode="wrap")
    call = dialect.layer_name.format(n=n)
    channels = [getattr(layer, word) for word in dialect.positional]
    said = ", ".join(map(str, [*channels, *(f"{key}={value!r}" for key, value in parameters.items()), *dialect.extra]))
    lines = [*dialect.imports, *dialect._load(f"{call}({said})", False, "")]
    kernel = weight_from_tconv(w, name, groups=groups, transpose_kernel=parameters.get("transpose_kernel", False))
    return result(name, "\n".join(lines), x, {"w": kernel, "kernel": kernel}, dialect.channels)


def check_read(name, parameters, coarse):
    ARRAYS[name](np.zeros((1,)))  # skips where it is missing
    layer = DIALECTS[name].read(parameters, coarse=coarse, bias=False, ndim=len(coarse))
    groups = layer.groups
    layer = Layer(layer.geometry, 2 * groups, 3 * groups, groups)
    x, w, _ = arrays(layer)
    np.testing.assert_array_equal(theirs(name, parameters, layer, groups), transposed(layer, x, w, None))


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1, ((1, 2),)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("name", ["flax", "nnx", "haiku"])
def test_around_lax(name, kernel, stride, dilation, padding):
    words = DIALECTS[name].words
    said = {words["kernel"]: (kernel,), words["stride"]: (stride,), words["bias"]: False}
    if "dilation" in words:
        said[words["dilation"]] = (dilation,)
    if name == "haiku" and padding == 1:
        return  # it takes pairs only
    check_read(name, said | {"padding": padding}, (4,))


@pytest.mark.parametrize("name", ["flax", "nnx"])
def test_a_transposed_kernel_of_flax(name):
    check_read(name, {"kernel_size": (3,), "strides": (2,), "transpose_kernel": True, "use_bias": False}, (4,))


@pytest.mark.parametrize("padding", [0, 1, ((2, -1),), "VALID", "SAME", "SAME_LOWER"])
@pytest.mark.parametrize(("stride", "added"), [(1, 0), (2, 0), (2, 1), (4, 2)])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (3, 2), (4, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_equinox(kernel, dilation, stride, added, padding, groups):
    said = {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": added}
    said |= {"dilation": dilation, "groups": groups, "use_bias": False}
    check_read("equinox", said, (5,))


def test_mlx_beyond_the_reach_of_the_kernel():
    """It would be a bug of theirs: a test that it is still there."""
    said = {"kernel_size": 3, "stride": 2, "padding": 3, "bias": False}
    layer = Layer(DIALECTS["mlx"].read(said, coarse=5, ndim=1).geometry, 2, 3)
    assert DIALECTS["mlx"].disagreements(said, layer) == (
        "MLX does not compute what its documentation says of a padding beyond d (k - 1), which is what is meant here.",
    )
    ARRAYS["mlx"](np.zeros((1,)))
    assert theirs("mlx", said, layer).shape != (2, 3, *layer.geometry.fine)


@st.composite
def parameters(draw, name):
    """Of a layer of one or two axes under PyTorch's names, with a coarse size."""
    dialect, ndim = DIALECTS[name], draw(st.integers(1, 2))
    axes = lambda least, most: st.lists(st.integers(least, most), min_size=ndim, max_size=ndim).map(tuple)  # noqa: E731
    stride = draw(axes(1, 3))
    said = {"kernel_size": draw(axes(2, 4)), "stride": stride, "dilation": draw(axes(1, 2))}
    said["padding"] = draw(axes(0, 1))
    if dialect.other_lengths and draw(st.booleans()):
        said["padding"] = draw(st.lists(st.integers(0, 1), min_size=2 * ndim, max_size=2 * ndim))
    said["output_padding"] = tuple(draw(st.integers(0, s - 1)) for s in stride)
    if "groups" in dialect.words:
        said["groups"] = draw(st.integers(1, 2))
    if name == "mlx" and ndim == 1:
        said = {key: value[0] for key, value in said.items()}
    return {**said, dialect.words["bias"]: False}, draw(axes(3, 4))


@pytest.mark.parametrize("name", ["mlx", "paddle", "tinygrad"])
@given(data=st.data())
@some
def test_under_pytorchs_names(name, data):
    check_read(name, *data.draw(parameters(name)))


# -- circular padding --------------------------------------------------------------------------------------------------


def follow(name, parameters, coarse):
    """What the error about a circular padding tells to do, done: the result of our layer, and of theirs."""
    ARRAYS[name](np.zeros((1,)))
    with pytest.raises(ValueError, match="wraps around, which no layer of tconv does") as caught:
        DIALECTS[name].read(parameters, coarse=coarse, ndim=len(coarse))
    found = str(caught.value).partition("\n")[0]
    around = eval(found.partition("numpy.pad(x, ")[2].partition(", mode=")[0])
    padding = eval(found.partition("say padding=")[2].partition(" in its place")[0])
    circular = {key: value for key, value in parameters.items() if key != "padding_mode"}
    ends = around[2:] if DIALECTS[name].channels == "channels_first" else around[1:-1]
    wrapped_size = tuple(n + low + high for n, (low, high) in zip(coarse, ends, strict=True))
    ours = DIALECTS[name].read(circular | {"padding": padding}, coarse=wrapped_size)
    layer = Layer(Geometry.conv_transpose(coarse, ours.geometry.kernel), 2, 3)
    x, w, _ = arrays(layer)
    x_wrapped = np.pad(x, [(0, 0), (0, 0), *ends], mode="wrap")
    y = transposed(Layer(ours.geometry, 2, 3), x_wrapped, w, None)
    np.testing.assert_array_equal(y, theirs(name, parameters, layer))


@pytest.mark.parametrize("transpose_kernel", [False, True])
@pytest.mark.parametrize("coarse", [1, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 6])
@pytest.mark.parametrize("name", ["flax", "nnx"])
def test_what_is_advised_for_circular_padding_of_flax(name, kernel, stride, coarse, transpose_kernel):
    said = {"kernel_size": (kernel,), "strides": (stride,), "padding": "CIRCULAR", "use_bias": False}
    follow(name, said | {"transpose_kernel": transpose_kernel}, (coarse,))


@pytest.mark.parametrize("padding", ["SAME", "SAME_LOWER"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_what_is_advised_for_circular_padding_of_equinox(kernel, stride, padding):
    said = {"kernel_size": kernel, "stride": stride, "padding": padding, "padding_mode": "CIRCULAR", "use_bias": False}
    follow("equinox", said, (6,))


# -- from documentation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if not dialect.was_run])
def test_what_was_not_run_says_so(name):
    saying = DIALECTS[name].write(Layer(Geometry.conv_transpose((4, 4), 4, stride=2, padding=1), 3, 2))
    title = DIALECTS[name].title
    note = f"What is said of {title} is from its documentation: none of it was run."
    assert note in saying.notes
    assert note in convert(saying.parameters, source=name, target="torch", kernel=4).notes


@pytest.mark.parametrize("layer", up_to(3), ids=lambda layer: str(layer.geometry))
def test_core_mls_own_builder_finds_the_same_size(layer):
    """Its programs run on Apple's systems only; its shapes are inferred anywhere."""
    mil = needed("coremltools.converters.mil")
    x, w, b = arrays(layer)
    code = DIALECTS["coreml"].write(layer).code

    @mil.Builder.program(input_specs=[mil.Builder.TensorSpec(shape=x.shape)])
    def program(x):
        names = {"x": x, "w": w, "b": b}
        exec(code, names)
        return names["y"]

    (y,) = program.functions["main"].outputs
    assert y.shape == (2, layer.out_channels, *layer.geometry.fine)
