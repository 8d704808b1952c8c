"""The public layers, and random ones."""

import json

import pytest

from tconv.bench import drawn
from tconv.bench.layers import BenchLayer, public


def test_there_are_29_public_layers_and_each_names_its_source():
    layers = public()
    assert len(layers) == 29
    assert all(name == layer.name and layer.network for name, layer in layers.items())


def test_a_layer_says_its_sizes_and_its_work():
    layer = public()["cyclegan.up1"]
    assert (layer.x_shape, layer.w_shape) == ((1, 256, 64, 64), (256, 128, 3, 3))
    assert layer.y_shape == (1, 128, 128, 128)
    # Three taps at stride 2 with padding 1: 64 cells an axis by three taps, but the first one of the first cell.
    assert layer.flops == 2 * 256 * 128 * 191**2
    assert layer.work.bytes == 4 * (256 * 64**2 + 128 * 128**2 + 256 * 128 * 9)
    assert str(layer).startswith("batch 1, 256 -> 128 channels, fine 128x128 <-> coarse 64x64: kernel 3, stride 2")


def test_arrays_are_the_same_every_time():
    layer = public()["dcgan.1"]
    (x, w), (again, _) = layer.arrays(), layer.arrays()
    assert (x == again).all()
    assert (x.shape, w.shape, x.dtype) == (layer.x_shape, layer.w_shape, "float32")


@pytest.mark.parametrize("layer", [public()["s1.k3"], drawn.draw(0, 0)], ids=lambda layer: layer.name)
def test_a_layer_survives_json(layer):
    assert BenchLayer.read(json.loads(json.dumps(layer.as_dict()))) == layer


DRAWN = [drawn.draw(3, number) for number in range(200)]


def test_a_drawn_layer_depends_on_seed_and_number_alone():
    assert drawn.draw(3, 117) == DRAWN[117]
    assert drawn.draw(4, 117) != DRAWN[117]
    assert len({layer.spatial for layer in DRAWN}) > 150


@pytest.mark.parametrize("layer", DRAWN[:40], ids=lambda layer: layer.name)
def test_a_drawn_layer_is_valid_and_ends(layer):
    assert min(layer.geometry.fine) >= 1
    assert 0 < layer.flops <= drawn.MOST_FLOPS
    assert layer.work.bytes <= drawn.MOST_BYTES
    assert max(layer.in_channels, layer.out_channels) <= drawn.MOST_CHANNELS
    assert layer.in_channels % layer.groups == layer.out_channels % layer.groups == 0
    limits = zip(layer.each("output_padding"), layer.each("stride"), layer.each("dilation"), strict=True)
    assert all(extra < max(stride, dilation) for extra, stride, dilation in limits)


def test_all_kinds_are_drawn():
    def any_of(condition):
        return any(condition(layer) for layer in DRAWN)

    assert {layer.ndim for layer in DRAWN} == {1, 2, 3}
    assert {stride for layer in DRAWN for stride in layer.each("stride")} >= {1, 2, 3, 4, 5, 6, 7, 8, 16, 32}
    assert any_of(lambda layer: max(layer.each("kernel")) > 24)
    assert any_of(lambda layer: layer.groups == layer.in_channels > 1)
    assert any_of(lambda layer: 1 < layer.groups < layer.in_channels)
    assert any_of(lambda layer: layer.batch > 16)
    assert any_of(lambda layer: max(layer.each("dilation")) > 1)
    assert any_of(lambda layer: isinstance(layer.kernel, tuple))
    assert any_of(lambda layer: layer.flops < 1e6)
    assert any_of(lambda layer: layer.flops > 1e9)
