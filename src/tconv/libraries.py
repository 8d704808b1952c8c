"""The array libraries whose arrays the operations take, a row each: how they are told, and what computes with them.

A new library is one row here, and one file with a function `compute` that is called as that of `numpy_ops` is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from tconv import arrays, checks
from tconv.forks import uninterrupted
from tconv.problem import Array


class Library(NamedTuple):
    """A row: nothing of it is imported before there is an array of the library."""

    name: str
    module: str  #: of the library, which whoever has arrays of it has imported
    kind: str  #: the class in there that its arrays are of, also those that stand for others while a call is traced
    computing: str  #: the module of tconv whose `compute` takes its arrays
    finishes: bool = False  #: whether that knows of activations and residuals

    def has(self, value: object) -> bool:
        """Whether this is an array of the library. Nothing is if it was not imported, or only half."""
        return isinstance(value, getattr(sys.modules.get(self.module), self.kind, ()))


NUMPY = Library("NumPy", "numpy", "ndarray", "tconv.numpy_ops", finishes=True)
#: In this order: the first that has one of the operands takes them all, and says what is wrong with the others.
LIBRARIES = (
    Library("PyTorch", "torch", "Tensor", "tconv.torch.tensors"),
    Library("JAX", "jax", "Array", "tconv.jax.calls"),
    Library("xarray", "xarray", "DataArray", "tconv.dask.labelled", finishes=True),
    Library("Dask", "dask.array", "Array", "tconv.dask.calls", finishes=True),
    NUMPY,
)


def library_of(*arrays: object) -> Library:
    """The library of the arrays of a call; NumPy, which says what is wrong with them, where they are of none."""
    for library in LIBRARIES:
        if any(map(library.has, arrays)):
            return library
    return NUMPY


def compute(
    operation: str, operands: dict[str, Any], kernel_size: Any, bias: Any, *others: Any, **finishing: Any
) -> Array:
    """The result of an operation, an array of the library of its arrays; arguments are those of `numpy_ops`.

    `finishing`: an activation and a residual, of which some libraries know.
    """
    library = library_of(*operands.values(), bias)
    computing = library.computing
    if finishing and not library.finishes:
        with checks.explained(operation):
            given = " and ".join(name for name, value in finishing.items() if value is not None)
            name, value = next(iter(operands.items()))
            shown = f"{name}={arrays.summary(value)}"
            known = "arrays of NumPy, Dask and xarray"
            checks.wrong_type(f"{given} must be None but for {known}; got an array of {library.name}: {shown}")
    function = _functions.get(computing)
    if function is None:
        with uninterrupted:
            function = _functions[computing] = import_module(computing).compute
    return function(operation, operands, kernel_size, bias, *others, **finishing)


#: By the module of a row, its function, once it has been imported.
_functions: dict[str, Callable[..., Array]] = {}
