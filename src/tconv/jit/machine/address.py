"""Where the elements of an array lie. NumPy's own `array.ctypes.data` takes a microsecond, more than some kernels."""

from __future__ import annotations

import ctypes
import platform

import numpy as np

from tconv.problem import Array

#: Where an array object keeps the pointer: behind what all of Python's objects begin with. NumPy's interface for
#: compiled code fixes that; extension modules have it compiled in.
_OFFSET = object.__basicsize__
_word_at = ctypes.c_size_t.from_address


def _read(array: Array) -> int:
    return _word_at(id(array) + _OFFSET).value


def _ask(array: Array) -> int:
    return int(array.ctypes.data)


def _reads_right() -> bool:
    """Whether this interpreter's objects are as expected: CPython's are."""
    whole = np.arange(6)
    return all(_read(each) == _ask(each) for each in (whole, whole[3:], whole[::-2]))


#: The address of an array's first element.
address = _read if platform.python_implementation() == "CPython" and _reads_right() else _ask
