"""The table of array libraries: every operation asks it, and a row is all that a library needs."""

import sys
from types import ModuleType

import numpy as np
import pytest

import tconv
from tconv import libraries
from tconv.libraries import LIBRARIES, NUMPY, Library, library_of
from tconv.problem import OPERANDS, OPERATIONS

pytestmark = pytest.mark.quick

X = np.ones((1, 1, 3))


class Mine:
    """An array of a library that nobody has heard of."""


@pytest.fixture
def calls(monkeypatch):
    """What such a library is asked for, while it has a row."""
    asked = []
    library, computing = ModuleType("mine"), ModuleType("computing")
    library.Mine = Mine
    computing.compute = lambda *call: asked.append(call) or "computed"
    monkeypatch.setitem(sys.modules, "mine", library)
    monkeypatch.setitem(sys.modules, "computing", computing)
    monkeypatch.setattr(libraries, "LIBRARIES", (Library("Mine", "mine", "Mine", "computing"), *LIBRARIES))
    monkeypatch.setattr(libraries, "_functions", {})
    return asked


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_row_is_all_that_a_library_needs(operation, place, calls):
    operands = [X, X]
    operands[place] = Mine()
    kernel = (3,) if operation == "weight_gradient" else ()
    assert getattr(tconv, operation)(*operands, *kernel, stride=2, layout="anything") == "computed"
    output_padding = 0 if operation == "conv_transpose" else None
    window = (2, 0, output_padding, None, 1, 1)
    named = dict(zip(OPERANDS[operation], operands, strict=True))
    assert calls == [(operation, named, *(kernel or (None,)), None, window, "anything", "auto", None)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_others_do_not_notice(operation, calls):
    kernel = (1,) if operation == "weight_gradient" else ()
    assert isinstance(getattr(tconv, operation)(X, X[:, :, : 1 if operation == "conv" else 3], *kernel), np.ndarray)
    assert not calls


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
def test_what_follows_is_for_numpy(operation, calls):
    with pytest.raises(TypeError) as error:
        getattr(tconv, operation)(X, Mine(), activation="relu", residual=X)
    said = "activation and residual must be None but for arrays of NumPy, Dask and xarray; got an array of Mine"
    first = OPERANDS[operation][0]
    assert str(error.value) == f"{operation}: {said}: {first}=float64 (1, 1, 3)"
    assert not calls


def test_what_is_of_no_library_is_numpys_to_explain():
    assert library_of([1.0], None) is NUMPY
    assert library_of(X, X) is NUMPY
    for operation in OPERATIONS:
        kernel = (1,) if operation == "weight_gradient" else ()
        with pytest.raises(
            TypeError, match=rf"^{operation}: {OPERANDS[operation][0]} must be a NumPy array; got \[1.0\]"
        ):
            getattr(tconv, operation)([1.0], X, *kernel)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_nothing_is_an_array_of_what_is_not_imported_or_only_half(library, monkeypatch):
    monkeypatch.delitem(sys.modules, library.module, raising=False)
    assert not library.has(X)
    monkeypatch.setitem(sys.modules, library.module, ModuleType(library.module))
    assert not library.has(X)
