"""The dot test: whether two functions are each other's adjoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tconv import arrays, checks
from tconv.problem import Array


@dataclass(frozen=True, slots=True)
class DotTest:
    """The outcome of a dot test: true if it passed, and the two products."""

    passed: bool
    left: float | complex  #: <forward(x), y>
    right: float | complex  #: <x, adjoint(y)>
    error: float  #: |left - right| relative to |forward(x)| |y| + |x| |adjoint(y)|, which bounds rounding
    tolerance: float

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        products = f"<Cx, y> = {self.left:.15g}, <x, C'y> = {self.right:.15g}"
        return f"dot test {verdict}: {products}, relative error {self.error:.1e} (allowed {self.tolerance:.1e})"


def dot_test(
    forward: Callable[[Any], Any],
    adjoint: Callable[[Any], Any],
    x_shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    *,
    dtype: Any = "float64",
    tolerance: float | None = None,
    seed: int = 0,
) -> DotTest:
    """Test <forward(x), y> = <x, adjoint(y)> for random x and y: true of a linear map and its adjoint, and no other.

    The two functions take and return arrays, of shapes x_shape and y_shape one way and the reverse the other. x and y
    are drawn from a normal distribution in `dtype` (float32, float64; float16 with a wide tolerance; complex64,
    complex128, both parts). `tolerance` is on the error relative to |forward(x)| |y| + |x| |adjoint(y)|; by default 100
    units in the last place of the dtype.

    The product <a, b> is the sum of conj(a) * b. Of real numbers the adjoint is the transpose; of complex ones it is
    the conjugate of that: the adjoint of `conv_transpose(x, w)` is `conv(y, w.conj())`.

    Raises ValueError or TypeError where an argument is wrong or a function returns another shape.

    >>> import numpy as np, tconv
    >>> w = np.random.default_rng(1).normal(size=(3, 2, 4, 4))
    >>> up = lambda x: tconv.conv_transpose(x, w, stride=2, padding=1)
    >>> down = lambda y: tconv.conv(y, w, stride=2, padding=1)
    >>> bool(tconv.dot_test(up, down, (1, 3, 5, 5), (1, 2, 10, 10)))
    True
    """
    with checks.explained("dot_test"):
        name = arrays.dtype_name("dtype", dtype)
        if not name.startswith(("float", "complex")):
            checks.wrong_type(f"dtype must be a floating point or complex dtype; got {checks.shorten(dtype)}")
        seed = checks.integer("seed", seed, 0)
        allowed = 100 * float(np.finfo(name).eps) if tolerance is None else _tolerance(tolerance)
        for what, function in (("forward", forward), ("adjoint", adjoint)):
            if not callable(function):
                checks.wrong_type(f"{what} must be callable; got {checks.shorten(function)}")
        x_shape, y_shape = checks.shape("x_shape", x_shape), checks.shape("y_shape", y_shape)
    rng = np.random.default_rng(seed)
    x, y = _drawn(rng, x_shape, name), _drawn(rng, y_shape, name)
    forward_x, adjoint_y = np.asarray(forward(x)), np.asarray(adjoint(y))
    with checks.explained("dot_test"):
        _check_returned("forward", forward_x, y_shape, name)
        _check_returned("adjoint", adjoint_y, x_shape, name)
    left, right = _dot(forward_x, y), _dot(x, adjoint_y)
    scale = max(float(np.abs(a).max(initial=0)) for a in map(_wide, (forward_x, adjoint_y)))
    if scale and np.isfinite(scale):  # squares neither overflow nor vanish
        forward_x, adjoint_y = _wide(forward_x).reshape(y_shape) / scale, _wide(adjoint_y).reshape(x_shape) / scale
    bound = _norm(forward_x) * _norm(y) + _norm(x) * _norm(adjoint_y)
    difference = abs(_dot(forward_x, y) - _dot(x, adjoint_y))
    error = difference / bound if bound else difference
    return DotTest(bool(error <= allowed), left, right, error, allowed)


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    drawn = rng.standard_normal(shape)
    return (drawn + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else drawn).astype(dtype)


def _tolerance(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        checks.wrong_type(f"tolerance must be a number of at least 0; got {checks.shorten(value)}")
    if not value >= 0:
        checks.wrong(f"tolerance must be a number of at least 0; got {value}")
    return float(value)


def _check_returned(name: str, result: Array, shape: tuple[int, ...], dtype: str) -> None:
    real = not dtype.startswith("complex")
    if result.dtype.kind not in ("fiu" if real else "fiuc"):
        numbers = f"real numbers for dtype {dtype}" if real else "numbers"
        checks.wrong_type(f"{name} must return {numbers}; got an array of dtype {result.dtype}")
    if result.shape != shape:
        checks.wrong(f"{name} must return an array of shape {shape}; got {result.shape}")


def _dot(a: Array, b: Array) -> float | complex:
    return np.vdot(_wide(a), _wide(b)).item()


def _norm(a: Array) -> float:
    return float(np.linalg.norm(_wide(a)))


def _wide(a: Array) -> Array:
    """The numbers in double precision, in a row."""
    return a.ravel().astype(np.complex128 if a.dtype.kind == "c" else np.float64)
