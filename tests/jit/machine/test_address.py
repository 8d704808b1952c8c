"""The address of an array's first element, read from the array object, is the one that NumPy says."""

import numpy as np
import pytest

from tconv.jit.machine import address

WHOLE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
READ_ONLY = np.frombuffer(b"0123456789abcdef", np.float32)


class Subclass(np.ndarray):
    """Of arrays; NumPy's struct comes first in it."""


@pytest.mark.parametrize(
    "array",
    [
        WHOLE, WHOLE[1, 1:, ::2], WHOLE[::-1, ::-1], WHOLE.T, WHOLE[:, :0], np.empty((3, 0)), np.array(1.0),
        WHOLE.astype(">f8"), READ_ONLY, READ_ONLY[2:], WHOLE.view(Subclass), np.broadcast_to(np.float32(1), (2, 3)),
        np.zeros(3, [("a", "f4"), ("b", "i8")])["b"],
    ],
)  # fmt: skip
def test_it_is_the_one_that_numpy_says(array):
    assert address.address(array) == address._ask(array) == array.ctypes.data


def test_it_is_read_where_objects_are_as_expected(monkeypatch):
    assert address.address is address._read
    assert address._reads_right()
    monkeypatch.setattr(address, "_OFFSET", address._OFFSET + 8)
    assert not address._reads_right()
