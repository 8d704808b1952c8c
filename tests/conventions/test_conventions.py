"""Every registered dialect: what it writes is read back as the same map; what no dialect reads."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import LAYERS, arrays, cuts_after, layers, run, transposed, wanted
from hypothesis import given
from hypothesis import strategies as st

from tconv import Geometry
from tconv.conventions import DIALECTS, NOMINAL_COARSE, Layer, canonical
from tconv.conventions.ends import cuts

MOST_AXES = {**dict.fromkeys(DIALECTS, 3), **dict.fromkeys(("tconv", "onnx", "caffe", "tinygrad"), 4), "tflite": 2}
WITHOUT_GROUPS = [name for name, dialect in DIALECTS.items() if dialect.layout({}).grouping == "dense"]

every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def read_back(dialect, saying, layer):
    g = layer.geometry
    names = {"in_channels": layer.in_channels, "out_channels": layer.out_channels}
    return dialect.read(
        saying.parameters, kernel=saying.kernel, coarse=g.coarse, bias=saying_bias(dialect, saying, layer), **names
    )


def saying_bias(dialect, saying, layer):
    """Whether the framework's layer has the bias itself; frameworks that take it as an array do not say."""
    return saying.parameters.get(dialect.words.get("bias"), layer.bias)


def check_same_map(dialect, layer):
    saying, g = dialect.write(layer), layer.geometry
    back = read_back(dialect, saying, layer)
    said = back.geometry
    assert said.kernel == saying.kernel
    if said.dilation == g.dilation:
        assert said.kernel == g.kernel
    else:  # a dilation written out as zeros
        assert said.dilation == (1,) * g.ndim
        assert said.kernel == tuple(axis.effective_kernel for axis in g.axes)
    assert (said.stride, said.coarse) == (g.stride, g.coarse)
    assert cuts_after(saying, said) == cuts(g)
    for (low, high), (pad_low, pad_high) in zip(cuts(said), saying.pad, strict=True):
        assert not (pad_low and low > 0), "zeros where the layer has cut off cells"
        assert not (pad_high and high > 0), "zeros where the layer has cut off cells"
    if saying.exact and said.dilation == g.dilation:
        assert canonical(said) == canonical(g)
    assert (back.in_channels, back.out_channels) == (layer.in_channels, layer.out_channels)
    assert back.groups == (1 if dialect.name in WITHOUT_GROUPS else layer.groups)
    assert back.bias == (saying_bias(dialect, saying, layer))
    assert set(saying.parameters) <= set(dialect.known)
    assert bool(saying.notes) or saying.exact


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: str(layer.geometry))
@every_dialect
def test_what_is_written_is_read_back(dialect, layer):
    ndim = layer.geometry.ndim
    if ndim > MOST_AXES[dialect.name] or (dialect.name == "tflite" and ndim < 2):
        with pytest.raises(ValueError, match=rf"^{dialect.name}.write: geometry must have (at most )?\d axes"):
            dialect.write(layer)
    else:
        check_same_map(dialect, layer)


@given(data=st.data())
@every_dialect
def test_what_is_written_is_read_back_for_any_layer(dialect, data):
    two = dialect.name == "tflite"
    check_same_map(dialect, data.draw(layers(max_ndim=2 if two else 3, min_ndim=2 if two else 1)))


@given(layers())
def test_the_canonical_spelling_is_the_same_map(layer):
    g = layer.geometry
    once = canonical(g)
    assert (cuts(once), once.fine, once.coarse) == (cuts(g), g.fine, g.coarse)
    assert canonical(once) == once
    x, w, _ = arrays(layer)
    same = Layer(once, layer.in_channels, layer.out_channels, layer.groups)
    np.testing.assert_array_equal(transposed(same, x, w, None), transposed(layer, x, w, None))


@every_dialect
def test_the_nominal_coarse_size_stands_in_for_one_that_is_not_known(dialect):
    layer = Layer(Geometry.conv_transpose((NOMINAL_COARSE,) * 2, 4, stride=2, padding=1))
    saying = dialect.write(layer)
    if dialect.name == "tflite":
        with pytest.raises(ValueError, match="coarse must be given with output_shape, which says a size; got none"):
            dialect.read(saying.parameters, kernel=saying.kernel)
    else:
        assert dialect.read(saying.parameters, kernel=saying.kernel).geometry == layer.geometry


def test_the_nominal_coarse_size_grows_where_the_padding_would_leave_nothing():
    layer = DIALECTS["torch"].read({"kernel_size": 3, "stride": 2, "padding": 40})
    assert (layer.geometry.coarse, layer.geometry.fine) == ((40, 40), (1, 1))


@every_dialect
def test_none_is_left_out(dialect):
    needed = {"jax": {"padding": "VALID"}, "tflite": {"output_shape": (5, 5)}}.get(dialect.name, {})
    nothing = {name: None for name in dialect.known if name not in needed}
    layer = dialect.read(nothing | needed, kernel=3, coarse=(5, 5))
    assert layer == dialect.read(needed, kernel=3, coarse=(5, 5))
    assert dialect.disagreements(nothing | needed, layer) == dialect.disagreements(needed, layer)


def test_unknown_channels_are_names_in_the_code():
    layer = Layer(Geometry.conv_transpose((8, 8), 4, stride=2, padding=1))
    assert "ConvTranspose2d(in_channels, out_channels, kernel_size=4" in DIALECTS["torch"].write(layer).code
    assert "Conv2DTranspose(filters, kernel_size=4" in DIALECTS["keras"].write(layer).code
    assert "in_channels" not in DIALECTS["torch"].write(layer).parameters


@pytest.mark.parametrize("layer", LAYERS[:6], ids=lambda layer: str(layer.geometry))
def test_tconvs_own_line_gives_our_result(layer):
    x, w, b = arrays(layer)
    for channels, moved in (("channels_first", x), ("channels_last", np.moveaxis(x, 1, -1))):
        saying = DIALECTS["tconv"].write_for(layer, channels)
        y = run(saying.code, x=moved, w=w, b=b)["y"]
        np.testing.assert_array_equal(y if channels == "channels_first" else np.moveaxis(y, -1, 1), wanted(layer))


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "keywords", "message"),
    [
        (
            "jax",
            {"stride": 2},
            {"kernel": 3},
            'jax.read: parameters must be named "strides", "padding", "rhs_dilation", "transpose_kernel", '
            '"use_consistent_padding", "feature_group_count"; got \'stride\'\n  called with stride=2',
        ),
        (
            "keras",
            {"kernel_size": 3, "groups": 2},
            {},
            'keras.read: parameters must be named "filters", "kernel_size", "strides", "padding", "output_padding", '
            '"data_format", "dilation_rate", "use_bias"; got \'groups\'\n  called with kernel_size=3, groups=2',
        ),
        (
            "torch",
            {"stride": 2},
            {},
            "torch.read: kernel must be given, as the parameter kernel_size or from the weights; got none\n"
            "  called with stride=2",
        ),
        (
            "jax",
            {"strides": 2},
            {},
            "jax.read: kernel must be given, it is the shape of the weights; got none\n  called with strides=2",
        ),
        (
            "keras",
            {"kernel_size": 3},
            {"kernel": 4},
            "keras.read: kernel must be (3, 3), as the parameter kernel_size says; got (4, 4)\n"
            "  called with kernel_size=3",
        ),
        (
            "torch",
            {"kernel_size": 3, "out_channels": 8},
            {"out_channels": 6},
            "torch.read: out_channels must be 8, as the parameter out_channels says; got 6\n"
            "  called with kernel_size=3, out_channels=8",
        ),
        (
            "caffe",
            {"kernel_size": 3, "bias_term": True},
            {"bias": False},
            "caffe.read: bias must be True, as the parameter bias_term says; got False\n"
            "  called with kernel_size=3, bias_term=True",
        ),
        (
            "onnx",
            {"group": 3},
            {"kernel": 3, "in_channels": 4},
            "onnx.read: group must divide in_channels = 4; got 3\n  called with group=3",
        ),
        (
            "torch",
            {"kernel_size": (3, 3), "stride": (2, 2, 2)},
            {},
            "torch.read: stride must be an integer or a sequence of 2 integers, one an axis; got (2, 2, 2)\n"
            "  called with kernel_size=(3, 3), stride=(2, 2, 2)",
        ),
        *[
            (
                name,
                parameters,
                keywords,
                f"{name}.read: {empty} must have an entry for each axis, from 1 to 30 of them; {got}",
            )
            for name, parameters, keywords, empty, got in (
                ("keras", {"kernel_size": ()}, {}, "kernel_size", "got 0\n  called with kernel_size=()"),
                (
                    "keras",
                    {"kernel_size": 3, "strides": []},
                    {},
                    "strides",
                    "got 0\n  called with kernel_size=3, strides=[]",
                ),
                ("torch", {"kernel_size": 3}, {"kernel": ()}, "kernel", "got 0\n  called with kernel_size=3"),
                (
                    "torch",
                    {"kernel_size": 3},
                    {"coarse": [], "ndim": 1},
                    "coarse",
                    "got 0\n  called with kernel_size=3",
                ),
                ("torch", {"kernel_size": 3}, {"coarse": [9] * 33}, "coarse", "got 33\n  called with kernel_size=3"),
            )
        ],
        *[
            (
                "torch",
                {"kernel_size": 3},
                {"ndim": ndim},
                f"torch.read: ndim must be an integer from 1 to 30; got {ndim}\n  called with kernel_size=3",
            )
            for ndim in (0, 33, 10**30)
        ],
        (
            "tconv",
            {"kernel": 3, "padding": 9},
            {"coarse": 2, "ndim": 1},
            "tconv.read: padding must leave at least 1 cell; (9, 9) crops coarse size 2 to fine size -14\n"
            "  called with kernel=3, padding=9",
        ),
    ],
)
def test_parameters_that_cannot_be_read(name, parameters, keywords, message):
    with pytest.raises(ValueError) as caught:
        DIALECTS[name].read(parameters, **keywords)
    assert str(caught.value) == message


@every_dialect
def test_parameters_must_be_a_mapping(dialect):
    with pytest.raises(TypeError, match=rf"^{dialect.name}.read: parameters must map names to values; got \[4, 2\]$"):
        dialect.read([4, 2])


@every_dialect
def test_only_layers_are_written(dialect):
    with pytest.raises(TypeError, match=rf"^{dialect.name}.write: layer must be a Layer; got 3$"):
        dialect.write(3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"geometry": 4}, TypeError, "Layer: geometry must be a tconv.Geometry; got 4"),
        ({"groups": 0}, ValueError, "Layer: groups must be an integer of at least 1; got 0"),
        ({"groups": 2, "in_channels": 3}, ValueError, "Layer: groups must divide in_channels = 3; got 2"),
        ({"bias": 1}, TypeError, "Layer: bias must be True or False; got 1"),
    ],
)
def test_layers_that_cannot_be(arguments, error, message):
    with pytest.raises(error) as caught:
        Layer(**{"geometry": Geometry.conv_transpose(4, 3)} | arguments)
    assert str(caught.value) == message
