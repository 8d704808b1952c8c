"""Weights packed on the way: for which calls, with the same result in every bit, and one NaN among them."""

import numpy as np
import pytest
from public_layers import problem
from registry import needs_kernels
from running import arrays, problem_of, shapes

import tconv
from tconv.bench.layers import public
from tconv.jit import engine
from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.jit.schedules.channels import on_the_fly
from tconv.jit.schedules.registry import kind_of

every_operation = pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
every_layout = pytest.mark.parametrize("layout", ["channels_first", "channels_last"])

#: Layers of much weight and few pixels.
HEAVY = ("dcgan.2", "pix2pix.d2", "pose.deconv1")


@every_operation
@every_layout
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_weights_are_packed_on_the_way(name, layout, operation):
    schedule = model.by_model(problem(public()[name], operation), layout == "channels_last", isa.ISAS["avx512"])
    made = on_the_fly.packed_on_the_fly(schedule)
    assert made.on_the_fly
    assert made.cache_block == tuple(map(len, made.spans))
    assert on_the_fly.packed_on_the_fly(made) == made


@every_operation
@pytest.mark.parametrize(
    ("cin", "cout", "groups", "size", "why"),
    [
        (512, 512, 1, (64, 6), "panel and block of the one chunk would leave the caches"),
        (2048, 2048, 2, (4, 16), "groups"),
        (64, 64, 1, (4, 16), "weights that stay in the caches"),
        (512, 512, 512, (4, 16), "depthwise"),
    ],
)
def test_others_are_packed_before(cin, cout, groups, size, why, operation):
    geometry = tconv.Geometry.conv_transpose(size, 4, stride=2, padding=1)
    given = problem_of(geometry, batch=16, cin=cin, cout=cout, groups=groups, operation=operation)
    for last in (False,) if "panel" in why else (False, True):  # channels last such rows are read in place
        for kind in model.offered(given, last, isa.ISAS["avx512"]):
            schedule = kind.make()
            assert kind_of(schedule).once(schedule) is schedule, why


@needs_kernels
@every_layout
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_prepared_operator_gives_the_same_bits(layout, threads):
    layer = public()["pose.deconv1"]
    x, w, bias = arrays(problem(layer, "conv_transpose"))
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if layout == "channels_last" else x
    tconv.set_num_threads(threads)
    try:
        keywords = {**layer.keywords, "layout": layout, "method": "jit"}
        np.testing.assert_array_equal(
            tconv.conv_transpose(x, w, bias, **keywords), tconv.ConvTranspose(w, bias, **keywords)(x)
        )
    finally:
        tconv.set_num_threads(None)


@pytest.fixture
def always(monkeypatch):
    """Every schedule that can packs weights on the way."""
    monkeypatch.setattr(on_the_fly, "LARGE", 0)
    monkeypatch.setattr(on_the_fly, "SHARE", 0)
    engine.forget()
    yield
    engine.forget()


@needs_kernels
@every_operation
@every_layout
@pytest.mark.parametrize("spoiled", [None, "w", "bias"])
def test_what_is_not_finite_stays_where_it_belongs(always, spoiled, layout, operation):
    geometry = tconv.Geometry.conv_transpose((3, 4), 3, stride=2, padding=1)
    given = problem_of(geometry, cin=20, cout=21, operation=operation)
    last = layout == "channels_last"
    assert engine.ready(given, last, once=True).program.on_the_fly
    x, w, bias = arrays(given)
    if spoiled:
        {"w": w, "bias": bias}[spoiled].reshape(-1)[7] = np.inf
    expected = getattr(tconv, operation)(x, w, bias, **geometry.keywords, method="matrix")
    assert np.isfinite(expected).all() == (spoiled is None)
    out = np.full(shapes(given)[1], np.nan, np.float32)
    x, out = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) if last else a for a in (x, out))
    y = getattr(tconv, operation)(x, w, bias, **geometry.keywords, method="jit", layout=layout, out=out)
    np.testing.assert_allclose(np.moveaxis(y, -1, 1) if last else y, expected, rtol=1e-4, atol=1e-4)
