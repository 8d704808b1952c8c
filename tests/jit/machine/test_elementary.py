"""Elementary functions of vectors: errors counted in units in the last place, limits, and NaN."""

import ctypes
from functools import lru_cache

import numpy as np
import pytest
from lowered import target
from registry import needs_kernels

from tconv.activations import ACTIVATIONS
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.elementary import FUNCTIONS, Arithmetic
from tconv.jit.machine.ir import ELEMENTS, Module, Vector

pytestmark = needs_kernels

every_function = pytest.mark.parametrize("name", FUNCTIONS)
every_isa = pytest.mark.parametrize("name_of_isa", isa.ISAS)
#: Units in the last place. GELU's exponent amplifies the rounding of its argument where products are not fused; what
#: Snake adds in float64 is as inexact as its argument.
MOST = {"float32": 4.0, "float64": 4.0}
EXCEPTIONS = {("gelu_tanh", "float64", False): 2500.0}
#: Numbers of each exponent.
PER_EXPONENT = 60
needs_more_than_double = pytest.mark.skipif(
    np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps, reason="this system has no numbers beyond double"
)


@lru_cache(maxsize=64)
def compiled(name, dtype, name_of_isa):
    """A function on arrays of whole vectors."""
    here, size = target(name_of_isa), np.dtype(dtype).itemsize
    module, v = Module(here), Vector(ELEMENTS[dtype], here.lanes(size))
    f = module.function("kernel", [("ptr", "x"), ("ptr", "p"), ("ptr", "y"), ("i64", "n")])
    f.exported = True
    with f.loop("%n", step=v.lanes) as (i, _):
        at = f.mul(i, size)
        given = [f.vload(v, "%x", at), *([f.vload(v, "%p", at)] if ACTIVATIONS[name].parameter else [])]
        f.vstore(v, FUNCTIONS[name](Arithmetic(f, v), *given), "%y", at)
    f.ret()
    return compiler.function(module, "kernel", [ctypes.c_void_p] * 3 + [ctypes.c_int64])


def values(name, x, parameter, name_of_isa):
    """What the function gives."""
    x, parameter = (np.concatenate([a, np.ones(-len(a) % 64, a.dtype)]) for a in (x, parameter))
    y = np.full_like(x, np.nan)
    compiled(name, x.dtype.name, name_of_isa)(x.ctypes.data, parameter.ctypes.data, y.ctypes.data, len(x))
    return y


def samples(dtype, seed):
    """Numbers of every exponent and sign, subnormal ones too, and many where functions bend; a parameter for each."""
    rng, limits = np.random.default_rng(seed), np.finfo(dtype)
    exponents = np.arange(limits.minexp - limits.nmant, limits.maxexp)[:, None]
    mantissas = rng.uniform(1, 2, (len(exponents), PER_EXPONENT)).astype(np.longdouble)
    mantissas[:, 0] = 1
    every = np.ldexp(mantissas, exponents).astype(dtype).ravel()
    near = [rng.uniform(-reach, reach, 20_000) for reach in (1, 8, 30, 120)]
    x = np.concatenate([every, -every, np.concatenate(near).astype(dtype)])
    return x, rng.choice(np.array([0.01, 0.25, 0.3, 1, 2.5, 17], dtype), x.shape)


def wanted(name, x, parameter, dtype=np.longdouble):
    """The definition, in a wider type."""
    given = [a.astype(dtype) for a in (x, *([parameter] if ACTIVATIONS[name].parameter else []))]
    with np.errstate(all="ignore"):
        return ACTIVATIONS[name].function(*given)


def units(found, exact):
    """How many units in the last place results are off; what overflows is to be an infinity."""
    limits = np.finfo(found.dtype)
    overflows = np.abs(exact) > limits.max
    assert np.array_equal(found[overflows], np.copysign(np.inf, exact[overflows]))
    _, exponent = np.frexp(np.maximum(np.abs(exact), limits.tiny))
    unit = np.ldexp(np.longdouble(1), exponent - 1 - limits.nmant)
    return np.where(overflows, 0, np.abs(found - exact) / unit)


@every_isa
@every_function
def test_float32(name, name_of_isa):
    x, parameter = samples("float32", 1)
    found = values(name, x, parameter, name_of_isa)[: len(x)]
    wide = np.longdouble if np.finfo(np.longdouble).nmant > 60 else np.float64
    off = units(found, wanted(name, x, parameter, wide))
    assert off.max() <= MOST["float32"], (off.max(), x[off.argmax()], parameter[off.argmax()])


@needs_more_than_double
@every_isa
@every_function
def test_float64(name, name_of_isa):
    x, parameter = samples("float64", 2)
    found, exact = values(name, x, parameter, name_of_isa)[: len(x)], wanted(name, x, parameter)
    if name == "snake":
        # The sine is known up to the rounding of its argument.
        with np.errstate(over="ignore"):
            bound = np.finfo("float64").eps * (4 * np.abs(x) + 4 / parameter)
            known = np.abs(x * parameter) < 2.0**40
        assert (np.abs(found - exact)[known] <= bound[known]).all()
        np.testing.assert_allclose(found[~known], x[~known])
        return
    most = EXCEPTIONS.get((name, "float64", isa.ISAS[name_of_isa].fma), MOST["float64"])
    off = units(found, exact)
    assert off.max() <= most, (off.max(), x[off.argmax()])


@every_isa
@every_function
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_limits_and_what_is_no_number(name, name_of_isa, dtype):
    limits = np.finfo(dtype)
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, limits.max, -limits.max, limits.tiny, -limits.tiny], dtype)
    found = values(name, x, np.full_like(x, 0.5), name_of_isa)[: len(x)]
    exact = wanted(name, x, np.full_like(x, 0.5), np.float64).astype(dtype)
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    assert np.isnan(found[0])


@every_isa
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_snake_without_a_wave_is_x(name_of_isa, dtype):
    x = np.linspace(-3, 3, 64).astype(dtype)
    np.testing.assert_array_equal(values("snake", x, np.zeros_like(x), name_of_isa), x)


def test_the_registry_is_that_of_the_definitions():
    assert FUNCTIONS.keys() == ACTIVATIONS.keys()
