"""Activations that take an instruction or two: applied to sums while they are in registers, where these are complete.

Kernels that write complete sums have a field `then`, the name of such an activation. Others, and those that take longer
than it takes to load and store a result once more, are for the epilogue (`finish.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tconv.activations import ACTIVATIONS
from tconv.jit.kernels.abi import Context, Given
from tconv.jit.machine.elementary import FUNCTIONS, Arithmetic
from tconv.jit.machine.ir import Function, Vector

#: Their names.
QUICK = ("relu", "leaky_relu", "prelu")


def activated(f: Function, v: Vector, then: str, values: Sequence[str]) -> list[str]:
    """What an activation makes of vectors; its parameter is one number."""
    if not then:
        return list(values)
    arithmetic, parameter = Arithmetic(f, v), []
    if ACTIVATIONS[then].parameter:
        parameter = [f.broadcast(v, f.pointer(f.pointer("%context", Context.GIVEN), Given.PARAMETERS))]
    return [FUNCTIONS[then](arithmetic, value, *parameter) for value in values]
