"""A subset of Python that becomes machine code: functions of integers and of arrays of them.

A table has an entry for each of many rows, and a loop of Python takes a microsecond for each word of it. Such loops are
written here as functions marked `native`, which run both ways: called, they are Python; `translate.py` writes them as
LLVM IR, and `compiled.py` runs that. What may stand in them:

    parameters   `int`, and `Ints`: arrays of i64, of which `a[n:]` is one that begins further on
    statements   assignment to names and elements, if, while, for over range (upwards), break, continue, return, calls
    expressions  + - * // % and comparisons of integers, and, or, not, `a if c else b`, min, max, calls, elements
    names        of other such functions, of integers of the module, and of words of an IntEnum

Division rounds down, as in Python. Nothing is checked: indices must be right, divisors must not be 0, and integers stay
below 2^63. Tests run what is written here both ways and compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Arrays of i64.
Ints: TypeAlias = NDArray[np.int64]

#: The types of LLVM for those of Python.
TYPES = {"int": "i64", "Ints": "ptr", "None": "void"}


@dataclass(frozen=True, eq=False)
class NativeFunction:
    """A function that runs both ways; `translate.py` writes it as LLVM IR."""

    function: Callable[..., Any]
    inlined: bool = False  #: in machine code it has no call of its own

    def __call__(self, *arguments: Any) -> Any:
        """Run it as Python."""
        return self.function(*arguments)

    @property
    def name(self) -> str:
        """The name of the function, in Python and in LLVM."""
        return self.function.__name__

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The type of each for LLVM, and its name."""
        return [(TYPES[kind], name) for name, kind in self.function.__annotations__.items() if name != "return"]

    @property
    def returns(self) -> str:
        """The type of the result."""
        return TYPES[self.function.__annotations__["return"]]


def native(function: Callable[..., Any]) -> NativeFunction:
    """Mark a function as one that runs both ways."""
    return NativeFunction(function)


def inlined(function: Callable[..., Any]) -> NativeFunction:
    """Mark one that does little and is called for every word."""
    return NativeFunction(function, inlined=True)
