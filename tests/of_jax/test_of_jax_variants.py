"""Every variant gives what the matrix C gives, on every kind of geometry, and its derivatives are the adjoints."""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle
from strategies import EDGE_CASES, NETWORKS, geometries

import tconv
import tconv.jax
from tconv.jax import VARIANTS

pytestmark = pytest.mark.usefixtures("lightly_compiled")
RNG = np.random.default_rng(0)

#: Small kernels only: a variant with an operation for each tap takes long to compile for large ones.
CASES = {
    **{label: case for label, case in EDGE_CASES.items() if prod(case.kernel) <= 16},
    **{label: NETWORKS[label] for label in ("U-Net up-convolution", "V-Net, 3-D")},
}
GROUPS = ((1, 2, 3), (2, 2, 2), (3, 3, 1), (2, 4, 3))  # groups, Cin, Cout / groups: dense, depthwise, grouped


def check(geometry, groups, cin, cout, layout, derived=tuple(VARIANTS)):
    """All variants at once, so that there is one computation to compile, with the derivatives of some."""
    x = RNG.normal(size=(2, cin, *geometry.coarse))
    w = RNG.normal(size=(cin, cout, *geometry.kernel))
    y = RNG.normal(size=(2, cout * groups, *geometry.fine))
    b = RNG.normal(size=cout * groups)
    up, down, gradient = oracle(geometry, x, w, y, groups)
    last = layout == "channels_last"
    x, y, up, down = (np.moveaxis(a, 1, -1) if last else a for a in (x, y, up, down))
    up = up + (b if last else b.reshape(-1, *[1] * geometry.ndim))

    @jax.jit
    def everything(x, w, b, y):
        results = {}
        for method in VARIANTS:
            keywords = {**geometry.keywords, "groups": groups, "layout": layout, "method": method}
            up = lambda x, w, b, k=keywords: tconv.jax.conv_transpose(x, w, b, **k)  # noqa: E731
            if method in derived:
                result, pull = jax.vjp(up, x, w, b)
                results[method] = (result, *pull(y))
            else:
                results[method] = (up(x, w, b),)
        return results

    for method, found in everything(*map(jnp.asarray, (x, w, b, y))).items():
        over = (0, *range(1, y.ndim - 1)) if last else (0, *range(2, y.ndim))
        for name, got, wanted in zip(["y", "dx", "dw", "db"], found, (up, down, gradient, y.sum(over)), strict=False):
            np.testing.assert_allclose(got, wanted, atol=1e-10, err_msg=f"{name} by {method}")


@pytest.mark.parametrize("number", range(len(CASES)), ids=list(CASES))
def test_every_variant_on_chosen_geometries(double, number):
    """Of their derivatives, which take most of the time to compile, those of half of the variants in turn."""
    geometry, derived = list(CASES.values())[number], list(VARIANTS)[number % 2 :: 2]
    check(geometry, *GROUPS[number % len(GROUPS)], "channels_last" if number % 3 else "channels_first", derived)


@given(geometries(small=True), st.sampled_from(GROUPS), st.sampled_from(["channels_first", "channels_last"]))
@settings(max_examples=6)  # each takes a second to compile
def test_every_variant_on_random_geometries(geometry, channels, layout):
    with jax.enable_x64(True):
        check(geometry, *channels, layout)


#: Windows of which some phase, or the whole, crops x at its low end and pads it at the high one.
CROPPED = {
    "phases": {"kernel": 4, "stride": 4, "padding": 1, "output_padding": 2},
    "stride 1": {"kernel": 3, "stride": 1, "padding": (3, 0)},
    "by x": {"kernel": 3, "stride": 2, "padding": (-1, 1)},
    "by x at stride 1": {"kernel": 1, "stride": 1, "padding": (-1, 1)},
    "beyond the kernel": {"kernel": 3, "stride": 1, "padding": (-4, 3)},
    "grouped": {"kernel": 3, "stride": 2, "padding": (4, 0), "groups": 2},
    "whole cells": {"kernel": 3, "stride": 2, "padding": (9, -6)},
}


@pytest.mark.parametrize("name", CROPPED)
def test_nothing_is_read_beyond_x(name):
    """XLA does where its convolution is cropped at one end and padded at the other: openxla/xla#48713."""
    window = dict(CROPPED[name])
    groups, kernel, padding = window.pop("groups", 1), window.pop("kernel"), window.pop("padding")
    padding = (padding,) if isinstance(padding, tuple) else padding
    geometry = tconv.Geometry.conv_transpose(14, kernel, padding=padding, **window)
    x = RNG.normal(size=(1, 14, 16)).astype(np.float32)  # as many channels as XLA has quick code for, which goes wrong
    w = RNG.normal(size=(16, 16 // groups, kernel)).astype(np.float32)
    y = RNG.normal(size=(1, *geometry.fine, 16)).astype(np.float32)
    wanted = oracle(geometry, np.moveaxis(x, -1, 1), w, np.moveaxis(y, -1, 1), groups)
    for method in VARIANTS:
        keywords = {**geometry.keywords, "groups": groups, "layout": "channels_last", "method": method}
        up = jax.jit(lambda x, w, k=keywords: tconv.jax.conv_transpose(x, w, **k))
        got = [up(x, w), *jax.jit(jax.grad(lambda x, w, up=up: jnp.vdot(up(x, w), y), (0, 1)))(x, w)]
        for what, one, right in zip(["y", "dx", "dw"], got, wanted, strict=True):
            right = right if what == "dw" else np.moveaxis(right, 1, -1)
            np.testing.assert_allclose(one, right, atol=1e-4, err_msg=f"{what} by {method}")


@pytest.mark.parametrize("method", VARIANTS)
def test_a_variant_computes_what_it_says(method):
    """Its operations, so that no variant stands in for another."""
    x, w = jnp.ones((1, 4, 5, 5)), jnp.ones((4, 6, 3, 3))

    def up(x, w):
        return tconv.jax.conv_transpose(x, w, stride=2, padding=1, method=method)

    text = jax.jit(up).lower(x, w).as_text()
    counts = (text.count("stablehlo.convolution("), text.count("stablehlo.dot_general"))
    expected = {
        "native": (1, 0),
        "stacked": (1, 0),
        "blocks": (4, 0),
        "phases": (4, 0),
        "columns": (0, 1),
        "taps": (0, 9),
    }
    assert counts == expected[method]
    assert ("lhs_dilate = [2, 2]" in text) == (method == "native")
