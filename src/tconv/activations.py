"""Activations: what may follow a convolution, element by element, as functions of NumPy that define them.

Each has one parameter at most: a number, or one for each channel. What is small is never a difference of what is not,
so that the definitions lose little to rounding, and infinities give the limits; NaN stays NaN.
`jit/machine/elementary.py` writes the same functions for kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tconv import arrays, checks
from tconv.problem import Array


class Definition(NamedTuple):
    """A row of the registry."""

    function: Callable[..., Array]  #: of an array, and of one of parameters that broadcasts
    formula: str
    parameter: str = ""  #: the name of its parameter
    default: float | None = None
    exact: bool = False  #: made of products and choices: nothing is approximated
    integers: bool = False  #: takes integers, too


def _relu(v: Array) -> Array:
    return np.where(v < 0, v.dtype.type(0), v)


def _leaky_relu(v: Array, slope: Array) -> Array:
    return np.where(v < 0, v * slope, v)


def _elu(v: Array, alpha: Array) -> Array:
    return np.where(v < 0, alpha * np.expm1(np.minimum(v, 0)), v)


def _times_sigmoid(factor: Array, v: Array) -> Array:
    """factor / (1 + exp(-v)); far below 0 the factor has to be finite. exp is taken in two halves: it may be tiny."""
    half = np.exp(-np.abs(v) / 2)
    found: Array = np.where(v < 0, factor * half * half, factor) / (1 + half * half)
    return found


def _sigmoid(v: Array) -> Array:
    return _times_sigmoid(np.ones_like(v), v)


def _silu(v: Array) -> Array:
    v = np.maximum(v, -20_000)  # of a long double, too, it is 0 there
    return _times_sigmoid(v, v)


def _gelu_tanh(v: Array) -> Array:
    v = np.maximum(v, -100)
    number = v.dtype.type
    twice_root = np.sqrt(2 / np.arctan(number(1)))  # 2 sqrt(2 / pi)
    return _times_sigmoid(v, twice_root * (v + number("0.044715") * v * v * v))


def _snake(v: Array, alpha: Array) -> Array:
    wave = np.sin(alpha * np.where(np.isinf(v), 0, v))
    found: Array = v + wave * wave / np.where(alpha == 0, 1, alpha)
    return found


#: By name.
ACTIVATIONS: dict[str, Definition] = {
    "relu": Definition(_relu, "max(x, 0)", exact=True, integers=True),
    "leaky_relu": Definition(_leaky_relu, "x, or slope * x below 0", "slope", 0.01, exact=True),
    "prelu": Definition(_leaky_relu, "x, or slope * x below 0", "slope", exact=True),
    "elu": Definition(_elu, "x, or alpha * (exp(x) - 1) below 0", "alpha", 1.0),
    "silu": Definition(_silu, "x / (1 + exp(-x))"),
    "gelu_tanh": Definition(_gelu_tanh, "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))"),
    "tanh": Definition(np.tanh, "tanh(x)"),
    "sigmoid": Definition(_sigmoid, "1 / (1 + exp(-x))"),
    "snake": Definition(_snake, "x + sin(alpha * x)^2 / alpha, and x where alpha is 0", "alpha", 1.0),
}


class Activation:
    """A function that follows a convolution, element by element: its name, and its parameter where it has one.

        relu         max(x, 0)
        leaky_relu   x, or slope * x below 0; slope 0.01 unless it is given
        prelu        likewise, with a slope that is given
        elu          x, or alpha * (exp(x) - 1) below 0; alpha 1
        silu         x / (1 + exp(-x))
        gelu_tanh    x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
        tanh         tanh(x)
        sigmoid      1 / (1 + exp(-x))
        snake        x + sin(alpha * x)^2 / alpha, and x where alpha is 0; alpha 1

    (D. Hendrycks and K. Gimpel, arXiv:1606.08415, for GELU and its approximation; L. Ziyin, T. Hartwig and M. Ueda,
    arXiv:2006.08195, for Snake.)

    Args:
        name: one of these.
        slope, alpha: the parameter, a finite number, or an array (C,) of floats with one for each channel of the
            result. It is rounded to the dtype of the computation.

    Infinities give the limits, and NaN stays NaN. Of `silu` and `gelu_tanh` the limit at -inf is -0.0.

    >>> import tconv
    >>> tconv.Activation("leaky_relu", slope=0.1)
    Activation("leaky_relu", slope=0.1)

    Raises:
        ValueError, TypeError: the text names the argument, its value, what is allowed.
    """

    __slots__ = ("name", "value")

    def __init__(self, name: str, **parameters: Any) -> None:
        with checks.explained("Activation"):
            checks.choice("name", name, tuple(ACTIVATIONS))
            self.name, definition = name, ACTIVATIONS[name]
            for given in parameters:
                if given != definition.parameter:
                    has = f"has the parameter {definition.parameter}" if definition.parameter else "has no parameter"
                    checks.wrong_type(f'{given} must not be given: "{name}" {has}; got {given}={parameters[given]!r}')
            value = parameters.get(definition.parameter, definition.default)
            if definition.parameter and value is None:
                checks.wrong_type(f'{definition.parameter} must be given: "{name}" has no default')
            self.value: float | Array | None = _parameter(definition.parameter, value) if definition.parameter else None

    @property
    def definition(self) -> Definition:
        """Its row of the registry."""
        return ACTIVATIONS[self.name]

    @property
    def per_channel(self) -> bool:
        """Whether its parameter is one for each channel."""
        return isinstance(self.value, np.ndarray)

    def __call__(self, v: Array, axis: int = 1) -> Array:
        """What it makes of an array of floats, whose channels are this axis: a new array of the same dtype.

        >>> import numpy as np, tconv
        >>> tconv.Activation("prelu", slope=np.array([0.5, 2.0]))(np.full((1, 2, 3), -1.0))
        array([[[-0.5, -0.5, -0.5],
                [-2. , -2. , -2. ]]])
        """
        with checks.explained(f"{self!r}"):
            arrays.array("v", v)
            name = arrays.dtype_name("the dtype of v", v.dtype)
            self.check(name)
            if not -v.ndim <= checks.integer("axis", axis) < v.ndim:
                checks.wrong(f"axis must be from {-v.ndim} to {v.ndim - 1}; got {axis}")
            self.check_channels(v.shape[axis])
            shape = [-1 if number == axis % v.ndim else 1 for number in range(v.ndim)]
        return self.of(v, self.value.reshape(shape) if isinstance(self.value, np.ndarray) else self.value)

    def of(self, v: Array, value: Any) -> Array:
        """What it makes of an array, with its parameter shaped as the array wants it.

        What is not exact is computed in float64, and rounded once more.
        """
        wide = v.dtype if self.definition.exact else np.result_type(v.dtype, np.float64)
        given = [] if value is None else [np.asarray(value, v.dtype).astype(wide)]
        with np.errstate(all="ignore"):
            return self.definition.function(v.astype(wide, copy=False), *given).astype(v.dtype, copy=False)

    def check(self, dtype: str) -> None:
        """It takes numbers of a dtype."""
        if dtype.startswith("complex") or (dtype.startswith(("int", "uint")) and not self.definition.integers):
            whole = ", ".join(f'"{name}"' for name, each in ACTIVATIONS.items() if each.integers)
            kinds = "for complex numbers" if dtype.startswith("complex") else f"or {whole} for integers"
            checks.wrong_type(f"activation must be None {kinds}; got {self!r} for {dtype}")

    def check_channels(self, channels: int) -> None:
        """Its parameter is a number, or there is one for each of so many channels."""
        if isinstance(self.value, np.ndarray):
            name = f"{self.definition.parameter} of activation"
            arrays.exact_shape(name, self.value, (channels,))

    def __repr__(self) -> str:
        parameter = self.definition.parameter
        said = arrays.summary(self.value) if self.per_channel else repr(self.value)
        return f'Activation("{self.name}"{f", {parameter}={said}" if parameter else ""})'


def _parameter(name: str, value: Any) -> float | Array:
    """A parameter: a number, or a copy of an array of them that nobody changes."""
    if isinstance(value, np.ndarray) and value.ndim:
        arrays.array(name, value)
        if value.dtype.kind != "f" or value.ndim != 1:
            checks.wrong_type(f"{name} must be a number, or an array (C,) of floats; got {arrays.summary(value)}")
        kept = value.astype(np.float64)
        kept.flags.writeable = False
        return kept
    value = value[()] if isinstance(value, np.ndarray) else value
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        checks.wrong_type(f"{name} must be a number, or an array (C,) of floats; got {checks.shorten(value)}")
    number = checks.number(name, value)
    if not math.isfinite(number):
        checks.wrong(f"{name} must be finite; got {number}")
    return number


def activation(value: Any) -> Activation | None:
    """An argument `activation`: a name, an `Activation`, or None."""
    if value is None or isinstance(value, Activation):
        return value
    if not isinstance(value, str):
        checks.wrong_type(
            f"activation must be a name, a tconv.Activation or None; got {checks.shorten(value)} of type "
            f"{type(value).__name__}"
        )
    checks.choice("activation", value, tuple(ACTIVATIONS))
    definition = ACTIVATIONS[value]
    if definition.parameter and definition.default is None:
        given = f'tconv.Activation("{value}", {definition.parameter}=...)'
        checks.wrong(f'activation must be {given}, as "{value}" has no default; got {value!r}')
    return Activation(value)
