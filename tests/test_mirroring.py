"""The mirrored decoder: every size on the way back, for encoders said in any words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tconv
from tconv.mirroring import mirror

DOWN = {"kernel": 3, "stride": 2, "padding": 1}


def test_the_sizes_of_the_threads():
    assert mirror([DOWN] * 4, 25).sizes == ((2,), (4,), (7,), (13,), (25,))
    assert [g.output_padding for g in mirror([DOWN] * 4, 25).geometries] == [(1,), (0,), (0,), (0,)]
    assert mirror([{"kernel": 4, "stride": 2, "padding": 1}] * 5, 250).sizes[::-1] == (
        (250,), (125,), (62,), (31,), (15,), (7,)
    )  # fmt: skip
    assert [g.output_padding[0] for g in mirror([{"kernel": 4, "stride": 2, "padding": 1}] * 5, 250).geometries] == [
        1, 1, 0, 1, 0
    ]  # fmt: skip


@st.composite
def encoders(draw):
    ndim = draw(st.integers(1, 3))
    each = lambda entry: st.lists(entry, min_size=ndim, max_size=ndim)  # noqa: E731
    layer = st.fixed_dictionaries(
        {"kernel": st.integers(1, 5), "stride": st.integers(1, 4), "dilation": st.integers(1, 3)},
        optional={"padding": st.one_of(st.integers(0, 3), st.just("same"), each(st.tuples(*[st.integers(0, 3)] * 2)))},
    )
    return draw(st.lists(layer, min_size=1, max_size=4)), draw(each(st.integers(40, 300)))


@given(encoders())
def test_the_decoder_leads_every_size_back(drawn):
    layers, fine = drawn
    sizes, size = [], tuple(fine)
    for words in layers:
        sizes.append(size)
        try:
            size = tconv.Geometry.conv(size, **words).coarse
        except ValueError:  # nothing is left
            with pytest.raises(ValueError, match="on size"):
                mirror(layers, fine)
            return
    decoder = mirror(layers, fine)
    assert decoder.sizes == (size, *reversed(sizes))
    for geometry in decoder.geometries:
        again = tconv.Geometry.conv_transpose(geometry.coarse, geometry.kernel, **geometry.keywords)
        assert again.fine == geometry.fine


@pytest.mark.parametrize(
    "layers",
    [
        [{"kernel_size": 3, "stride": 2, "padding": 1, "in_channels": 3, "out_channels": 8}],
        [{"kernel_size": (3, 3), "strides": (2, 2), "padding": [(1, 1), (1, 1)], "filters": 8, "in_channels": 3}],
        [SimpleNamespace(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), in_channels=3, out_channels=8, bias=None)],
    ],
)
def test_names_of_frameworks_and_layers_themselves(layers):
    decoder = mirror(layers, (26, 25))
    (layer,) = decoder.layers
    assert (layer.in_channels, layer.out_channels, layer.groups) == (8, 3, 1)
    (saying,) = decoder.say("pytorch")
    assert saying.exact
    assert "torch.nn.ConvTranspose2d(8, 3, kernel_size=3, stride=2, padding=1, output_padding=(1, 0)" in saying.code


def test_it_prints_as_a_table():
    assert str(mirror([DOWN, {"kernel": (3, 2)}], (5, 8))) == (
        "decoder: 1x3 -> 3x4 -> 5x8\n"
        "\n"
        "layer  mirrors  sizes       kernel  stride  padding  output padding\n"
        "0      1        1x3 -> 3x4  3x2     1       0        0\n"
        "1      0        3x4 -> 5x8  3       2       1        0x1"
    )


SIMPLE = SimpleNamespace
KNOWN = '"kernel", "stride", "padding", "dilation", "groups", "in_channels", "out_channels", "bias"'


@pytest.mark.parametrize(
    ("layers", "fine", "kind", "message"),
    [
        ([], 25, ValueError, "layers must hold at least 1 convolution; got none"),
        (3, 25, TypeError, "layers must be a sequence of convolutions; got 3"),
        ([DOWN], 0, ValueError, "fine must be an integer of at least 1; got 0"),
        (
            [{"stride": 2}],
            25,
            ValueError,
            "layers[0] must say its kernel, as a mapping or as a layer with a kernel_size; got {'stride': 2}",
        ),
        (
            [DOWN, SIMPLE(kernel_size=2, transposed=True)],
            25,
            ValueError,
            "layers[1] must be a convolution, which the decoder transposes; got SimpleNamespace",
        ),
        (
            [SIMPLE(kernel_size=2, ceil_mode=True)],
            25,
            ValueError,
            "layers[0] must not round sizes up, as ceil_mode=True does: say its padding as a (low, high) pair",
        ),
        ([{**DOWN, "pad": 1}], 25, ValueError, f"layers[0] must be named {KNOWN}; got 'pad'"),
        (
            [DOWN, {"kernel": 9}],
            5,
            ValueError,
            "layers[1], on size 3: kernel must fit into the padded size: kernel 9 with dilation 1 spans 9 cells, size "
            "3 with padding (0, 0) has 3",
        ),
    ],
)
def test_what_cannot_be_mirrored(layers, fine, kind, message):
    with pytest.raises(kind) as caught:
        mirror(layers, fine)
    assert str(caught.value) == f"mirror: {message}"
