"""Matrices turned in memory, on every set of instructions of this machine, with a guard behind them."""

import numpy as np
import pytest

from tconv.jit.machine import isa, transposing


@pytest.mark.parametrize("name", isa.available())
@pytest.mark.parametrize("element", ["float", "double"])
@pytest.mark.parametrize("rows", range(1, transposing.MOST_ROWS + 1))
def test_rows_become_columns(name, element, rows):
    dtype = {"float": np.float32, "double": np.float64}[element]
    transposer = transposing._function(isa.ISAS[name], element, rows)
    for matrices, columns in ((0, 3), (1, 1), (3, 5), (2, 16), (4, 35)):
        source = np.arange(matrices * rows * columns, dtype=dtype).reshape(matrices, rows, columns)
        target = np.full(source.size + 8, -1, dtype)
        transposer(source.ctypes.data, target.ctypes.data, matrices, columns)
        assert (target[: source.size].reshape(matrices, columns, rows) == source.swapaxes(1, 2)).all()
        assert (target[source.size :] == -1).all()
