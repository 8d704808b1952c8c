"""Normalization by statistics, residuals and activations, plane by plane: against the definition in float64."""

import itertools
from math import prod

import numpy as np
import pytest
from guarded import guarded
from lowered import target
from registry import needs_kernels

from tconv.activations import ACTIVATIONS, Activation
from tconv.jit.kernels import by_plane
from tconv.jit.kernels.by_plane import BLOCK, ByPlane, Words
from tconv.jit.machine import isa, launch
from tconv.jit.machine.ir import ELEMENTS

pytestmark = needs_kernels

every_isa = pytest.mark.parametrize("name", isa.ISAS)
EPS = 1e-3


def run(target, x, groups, activation=None, threads=1, y=None, kernel=None, **arrays):
    """What a kernel makes of x (N, C, cells); arrays may be scale, shift and residual."""
    parameters = None if activation is None or activation.value is None else np.atleast_1d(activation.value)
    kernel = kernel or ByPlane(
        ELEMENTS[x.dtype.name], groups > 0, activation.name if activation else "",
        "" if parameters is None else "channels" if activation.per_channel else "one", "residual" in arrays,
    )  # fmt: skip
    y = np.full_like(x, np.nan) if y is None else y
    batch, channels, size = x.shape
    neutral = {"scale": np.ones(channels), "shift": np.zeros(channels), "parameters": parameters}
    arrays = {
        name.upper(): None if a is None else np.ascontiguousarray(a, x.dtype) for name, a in (neutral | arrays).items()
    }
    pool, threads, start = launch.starting(threads, False, False)
    words = np.zeros(len(Words), np.int64)
    words[Words.POOL] = pool
    words[Words.X_STEP] = x.strides[1]
    for name, array in ({"X": x, "Y": y} | arrays).items():
        words[Words[name]] = 0 if array is None else array.ctypes.data
    words[Words.EPS : Words.EPS + 1].view(np.float64)[0] = EPS
    groups = groups or channels
    words[Words.ALL :] = batch * groups, groups, channels // groups, size
    by_plane.function(kernel, target)(words.ctypes.data, threads, start)
    return y


def defined(x, groups, activation=None, scale=None, shift=None, residual=None):
    """The same by NumPy, in float64."""
    y = x.astype(np.float64)
    if groups:
        y = y.reshape(len(x), groups, -1)
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + EPS)
        y = y.reshape(x.shape)
    y = y if scale is None else y * scale.astype(np.float64)[:, None]
    y = y if shift is None else y + shift.astype(np.float64)[:, None]
    y = y if residual is None else y + residual
    return y if activation is None else activation(y)


def close(found, expected, times=4):
    limit = times * np.finfo(found.dtype).eps
    np.testing.assert_allclose(found, expected, rtol=limit, atol=limit * max(1.0, np.abs(expected).max()))


def sizes(lanes, block):
    around = (lanes, by_plane.CHAINS * lanes, block, 2 * block)
    return sorted({1, 2, *(n + more for n in around for more in (-1, 0, 1)), block + 5 * lanes + 3})


@every_isa
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_statistics_around_vectors_and_blocks(name, dtype):
    meant, rng = target(name), np.random.default_rng(0)
    itemsize = np.dtype(dtype).itemsize
    for size in sizes(meant.vector_bytes // itemsize, BLOCK // itemsize):
        for channels, groups in ((1, 1), (3, 3), (4, 2), (3, 1)):
            x = rng.standard_normal((2, channels, size)).astype(dtype)
            scale, shift = rng.standard_normal((2, channels)).astype(dtype)
            found = run(meant, x, groups, scale=scale, shift=shift)
            close(found, defined(x, groups, scale=scale, shift=shift))


@pytest.mark.parametrize("far", [1e3, 1e5, 1e30])
def test_a_mean_far_from_zero_costs_no_digits(far):
    """Of what x is: where it is large itself, its last place is all that there is."""
    x = (np.random.default_rng(0).standard_normal((1, 2, 20_000)) + far).astype(np.float32)
    with np.errstate(over="ignore"):
        found, expected = run(isa.current(), x, 2), defined(x, 2)
    if far < 1e30:
        close(found, expected, times=16)
    else:
        np.testing.assert_array_equal(found, expected)  # all alike: zeros


def test_blocks_whose_means_differ():
    x = np.repeat([1.0, -3.0, 1e4, 7.0], BLOCK // 4)[None, None].astype(np.float32)
    close(run(isa.current(), x, 1), defined(x, 1))


@every_isa
@pytest.mark.parametrize("function", [None, *ACTIVATIONS])
def test_activations_and_residuals(name, function):
    meant, rng = target(name), np.random.default_rng(1)
    for dtype, groups, size, residual in itertools.product(ELEMENTS, (0, 2), (1, 37), (False, True)):
        x, other = rng.standard_normal((2, 2, 4, size)).astype(dtype)
        values = (None,) if function is None or not ACTIVATIONS[function].parameter else (0.25, rng.uniform(0.5, 2, 4))
        for value in values:
            parameter = {} if value is None else {ACTIVATIONS[function].parameter: np.asarray(value, dtype)}
            activation = None if function is None else Activation(function, **parameter)
            more = {"residual": other} if residual else {}
            close(run(meant, x, groups, activation, **more), defined(x, groups, activation, **more), times=16)


@every_isa
def test_an_activation_of_two_parameters(name):
    meant, rng = target(name), np.random.default_rng(5)
    for dtype, size, alpha in itertools.product(ELEMENTS, (1, 37, 100), (0.0, -0.3, 40.0, 3000.0)):
        x, share = rng.standard_normal((2, 4, size)).astype(dtype), rng.standard_normal(4).astype(dtype)
        alphas = np.linspace(alpha, 2, 4).astype(dtype)
        kernel = ByPlane(ELEMENTS[dtype], False, "snake_beta", "channels")
        found = run(meant, x, 0, kernel=kernel, scale=share, parameters=alphas)
        wide, a, b = (each.astype(np.float64) for each in (x, alphas[:, None], share[:, None]))
        # NumPy's angle is rounded to double, and one of float without fma to float.
        angle = 1.0 if dtype == "float32" and isa.ISAS[name].fma else 1.0 + np.abs(a * wide).max()
        close(found, wide + b * np.sin(a * wide) ** 2, times=16 * angle)


def test_what_has_no_wave():
    x = np.array([[[np.nan, np.inf, -np.inf, 3e7, -3e7, 0.0]]], np.float32)
    kernel = ByPlane("float", False, "snake_beta", "channels")
    for alpha in (1.0, 0.0):
        found = run(isa.current(), x, 0, kernel=kernel, scale=np.ones(1), parameters=np.full(1, alpha))
        np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("alpha", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_a_wave_of_no_finite_length(alpha, dtype):
    x = np.array([[[np.nan, np.inf, 1.0, 0.0]] * 2], dtype)
    kernel = ByPlane(ELEMENTS[dtype], False, "snake_beta", "channels")
    found = run(isa.current(), x, 0, kernel=kernel, scale=np.ones(2, dtype), parameters=np.array([alpha, 0], dtype))
    np.testing.assert_array_equal(found, [[[np.nan] * 4, x[0, 1]]])


def test_in_place_and_of_the_residual():
    x, other = np.random.default_rng(2).standard_normal((2, 2, 3, 1001))
    expected = defined(x, 3, Activation("relu"), residual=other)
    for y in (x, other):
        given = x.copy(), other.copy()
        y = given[0] if y is x else given[1]
        assert run(isa.current(), given[0], 3, Activation("relu"), y=y, residual=given[1]) is y
        close(y, expected)


def test_cells_cut_off_at_both_ends():
    """What lies between the channels of x is neither read nor written."""
    whole = np.full((2, 3, 50), np.nan, np.float32)
    x = whole[..., 3:44]
    x[...] = np.random.default_rng(6).standard_normal(x.shape)
    y = np.empty(x.shape, np.float32)
    for groups in (0, 3):
        run(isa.current(), x, groups, Activation("tanh"), y=y)
        close(y, defined(x, groups, Activation("tanh")))
    assert np.isnan(whole[..., :3]).all()


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("groups", [0, 1, 7])
def test_any_number_of_threads(threads, groups):
    x = np.random.default_rng(3).standard_normal((3, 7, 301)).astype(np.float32)
    one = run(isa.current(), x, groups, Activation("silu"))
    for _ in range(20):
        np.testing.assert_array_equal(run(isa.current(), x, groups, Activation("silu"), threads=threads), one)


def test_what_is_no_number_stays_in_its_group():
    x = np.random.default_rng(4).standard_normal((1, 4, 50))
    for bad in (np.nan, np.inf):
        x[0, 2, 7] = bad
        found = run(isa.current(), x, 4)
        assert np.isnan(found[0, 2]).all()
        close(found[:, [0, 1, 3]], defined(x[:, [0, 1, 3]], 3))


@every_isa
@pytest.mark.parametrize("end", ["low", "high"])
def test_nothing_beside_is_touched(name, end):
    for size in (1, 15, 16, 17, 67):
        shape = 1, 3, size
        x, y, residual = (guarded(4 * prod(shape), end).view(np.float32).reshape(shape) for _ in range(3))
        x[...], residual[...] = np.random.default_rng(5).standard_normal((2, *shape))
        run(target(name), x, 3, Activation("relu"), y=y, residual=residual)
        close(y, defined(x, 3, Activation("relu"), residual=residual))
