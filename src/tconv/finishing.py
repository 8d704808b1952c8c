"""What is done with a result before it is handed over: a residual is added, then an activation is applied.

    y = activation(sums + bias + residual)

as in cuDNN's `cudnnConvolutionBiasActivationForward`, and in the blocks of a ResNet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tconv import arrays
from tconv.activations import ACTIVATIONS, Activation
from tconv.activations import activation as activation_of
from tconv.problem import Array


@dataclass(frozen=True, slots=True)
class Epilogue:
    """What kernels do with a result, as words: without arrays and numbers, so that it can be part of a key."""

    activation: str = ""  #: a name of `activations.py`, or none
    per_channel: bool = False  #: the parameter of the activation is one for each channel
    residual: bool = False

    @property
    def parameter(self) -> str:
        """What its activation is given: "" for nothing, "one" number, or one for each of the "channels"."""
        if not self.activation or not ACTIVATIONS[self.activation].parameter:
            return ""
        return "channels" if self.per_channel else "one"

    @property
    def alone(self) -> str:
        """Its activation, if there is nothing else: no residual, and no parameter for each channel."""
        return "" if self.residual or self.per_channel else self.activation

    def __str__(self) -> str:
        activation = f"{self.activation}{' by channel' if self.per_channel else ''}"
        return ", then ".join(
            [*(["a residual is added"] if self.residual else []), *([activation] if activation else [])]
        )


class Finishing(NamedTuple):
    """An activation, and a residual that is added before it; at least one of them."""

    activation: Activation | None
    residual: Array | None  #: of the shape of the result, in the form that methods take

    @property
    def epilogue(self) -> Epilogue:
        """What kernels are to be made for."""
        name, per_channel = (
            ("", False) if self.activation is None else (self.activation.name, self.activation.per_channel)
        )
        return Epilogue(name, per_channel, self.residual is not None)

    def parameters(self, dtype: Any) -> Array:
        """What the activation is given, as kernels read it: one number, or one for each channel."""
        value = None if self.activation is None else self.activation.value
        with np.errstate(over="ignore"):  # a float64 that rounds to an infinite float32
            return np.atleast_1d(np.asarray(0.0 if value is None else value, dtype))

    def apply(self, into: Array) -> None:
        """Do it with an array (N, groups, channels in a group, *size), by NumPy."""
        with np.errstate(all="ignore"):
            if self.residual is not None:
                into += self.residual
            if self.activation is not None:
                value = self.activation.value
                if isinstance(value, np.ndarray):
                    value = value.reshape(*into.shape[1:3], *(1,) * (into.ndim - 3))
                into[...] = self.activation.of(into, value)


def checked(
    activation: Any, residual: Any, name: str, dtype: str, shape: tuple[int, ...], channels: int
) -> Finishing | None:
    """The arguments `activation` and `residual` of a call whose first array has a name and a dtype; None for neither.

    `shape` and `channels` are those of the result. Raises `checks.Rejected`.
    """
    function = activation_of(activation)
    if function is not None:
        function.check(dtype)
        function.check_channels(channels)
    if residual is not None:
        arrays.same_dtype("residual", residual, name, dtype)
        arrays.exact_shape("residual", residual, shape)
    return None if function is None and residual is None else Finishing(function, residual)
