"""The registered methods as tests go through them: each on the operations that it computes, in its dtypes.

Methods that generate kernels are skipped where none can be had, and only there. Those that are not exact serve some
geometries alone, and differ from the definition by more: `test_inexact_methods.py` goes through them.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import tconv
from tconv.jit.machine import compile as compiler
from tconv.methods import METHODS, OPERATIONS, Problem

#: Why there are no kernels on this machine, "" if there are.
NO_KERNELS = compiler.available()
needs_kernels = pytest.mark.skipif(bool(NO_KERNELS), reason=NO_KERNELS or "there are kernels")

#: For tests whose processes load PyTorch: the test itself does not.
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")

#: Methods that compile something for most geometries: random tests give them fewer examples.
COMPILED = ("jit",)
#: Methods that add up the products of the definition, and those that do not.
EXACT = [name for name, method in METHODS.items() if method.exact]
INEXACT = [name for name, method in METHODS.items() if not method.exact]
ARRAY_METHODS = [name for name in EXACT if name not in COMPILED]

_TINY = tconv.Geometry.conv_transpose((2, 2), 2)


def computes(method: str, operation: str, dtype: str = "float64") -> bool:
    """Whether a method ("auto": some method) is for an operation in a dtype at all."""
    if method == "auto":
        return True
    if operation not in METHODS[method].operations:
        return False
    return bool(NO_KERNELS) or not METHODS[method].limit(Problem(operation, _TINY, 1, 2, 2, 1, dtype))


def by(method: str, operation: str) -> dict[str, str]:
    """The keyword for an operation beside another one that the method computes: by it too, or by whichever can."""
    return {"method": method if computes(method, operation) else "auto"}


def param(method: str, *others: object):
    """A case of a method, to be put into `pytest.mark.parametrize` with what comes before it."""
    marks = needs_kernels if method in METHODS and METHODS[method].by_engine else ()
    return pytest.param(*others, method, marks=marks, id=_id(*others, method))


def _id(*values: object) -> str:
    return "-".join(map(str, values))


every_method = pytest.mark.parametrize("method", [param(name) for name in EXACT])
auto_and_every_method = pytest.mark.parametrize("method", [param(name) for name in ("auto", *EXACT)])
every_array_method = pytest.mark.parametrize("method", ARRAY_METHODS)
every_compiled_method = pytest.mark.parametrize("method", [param(name) for name in COMPILED])
every_operation_and_method = pytest.mark.parametrize(
    ("operation", "method"), [param(m, op) for op in OPERATIONS for m in EXACT if computes(m, op)]
)
