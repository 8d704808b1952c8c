"""Which variants are taken, that they give the right result, and that another platform than a CPU gets lax's own."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import geometries

import tconv
import tconv.jax
from tconv.bench import drawn
from tconv.bench.layers import public
from tconv.jax import VARIANTS
from tconv.jax.choose import MOST_OPERATIONS, choose
from tconv.jax.cost import operations, seconds
from tconv.jax.task import Choice, Task
from tconv.problem import Problem

LAYERS = [*public().values(), *(drawn.draw(0, number) for number in range(60))]


def task(layer, order="channels_first"):
    sizes = (layer.geometry, layer.batch, layer.in_channels, layer.out_channels, layer.groups)
    return Task(Problem("conv_transpose", *sizes, "float32"), order)


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("dcgan.1", Choice("columns", "columns", "columns")),
        ("fcn32s.up", Choice("stacked", "native", "columns")),
        ("centernet.dw", Choice("columns", "taps", "taps")),
        ("cyclegan.up2", Choice("phases", "native", "taps")),
        ("pix2pix.d2", Choice("columns", "columns", "columns")),
        ("s1.k3", Choice("native", "native", "native")),
        ("dilated", Choice("phases", "native", "taps")),
        ("grouped8", Choice("stacked", "native", "columns")),
    ],
)
def test_choices_for_layers_that_were_measured(name, choice):

    assert choose(task(public()[name])) == choice


def test_weights_as_lax_has_them_are_not_brought_into_another_order_for_few_cells():
    assert choose(task(public()["pix2pix.d2"], "taps_first")).forward == "native"


@pytest.mark.parametrize(
    ("name", "by_w"),
    [
        ("fcn32s.up", "native"),
        ("fcn8s.up", "native"),
        ("fsrcnn.x3", "native"),
        ("erfnet.up", "taps"),
        ("unet.up4", "columns"),
        ("centernet.dw", "taps"),
        ("istft", "columns"),
    ],
)
def test_the_weight_gradient_is_laxs_own_for_large_kernels(name, by_w):
    """That of a convolution, which a derivative of a transposed one by its weights cannot be."""
    posed = task(public()[name])
    for operation in ("conv", "weight_gradient"):
        assert choose(replace(posed, problem=replace(posed.problem, operation=operation))).by_w == by_w
    assert choose(posed).by_w != "native"


@pytest.mark.parametrize("order", ["channels_first", "taps_first"])
def test_what_is_chosen_has_the_lowest_expected_time_and_few_operations(order):
    for layer in LAYERS:
        posed = task(layer, order)
        choice = choose(posed)
        for name in choice:
            assert name == "native" or operations(name, layer.geometry) <= MOST_OPERATIONS
        assert seconds(choice.forward, posed) <= seconds("native", posed)


@given(geometries(small=True), st.sampled_from([(1, 2, 3), (2, 2, 2), (3, 3, 1)]))
@settings(max_examples=15)
def test_the_rule_on_random_geometries_gives_right_results(geometry, channels):
    groups, cin, cout = channels
    rng = np.random.default_rng(0)
    x, w = (
        rng.integers(-4, 5, shape).astype(np.float32)
        for shape in ((2, cin, *geometry.coarse), (cin, cout, *geometry.kernel))
    )
    keywords = {**geometry.keywords, "groups": groups}
    y = tconv.jax.conv_transpose(jnp.asarray(x), jnp.asarray(w), **keywords)
    np.testing.assert_array_equal(y, tconv.conv_transpose(x, w, **keywords))


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
def test_other_platforms_get_laxs_own(monkeypatch, platform):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    x, w = jnp.ones((1, 64, 4, 4, 4)), jnp.ones((64, 32, 2, 2, 2))
    text = jax.jit(lambda x, w: tconv.jax.conv_transpose(x, w, stride=2)).lower(x, w).as_text()
    assert ("lhs_dilate = [2, 2, 2]" in text) == (platform != "cpu")
    lhs, rhs = jnp.moveaxis(x, 1, -1), jnp.moveaxis(w, (0, 1), (-2, -1))
    text = jax.jit(lambda x, w: tconv.jax.lax_conv_transpose(x, w, (2, 2, 2), "SAME")).lower(lhs, rhs).as_text()
    assert ("lhs_dilate = [2, 2, 2]" in text) == (platform != "cpu")


def test_every_variant_is_expected_to_take_some_time():
    for layer in LAYERS:
        for name in VARIANTS:
            assert seconds(name, task(layer)) > 0


def test_small_batches_and_none():
    geometry = tconv.Geometry.conv_transpose((4, 4), 4, stride=2, padding=1)
    assert choose(Task(Problem("conv_transpose", geometry, 0, 8, 8, 1, "float32"), "channels_first"))
