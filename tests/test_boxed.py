"""Prepared operators on boxes of larger arrays: the same numbers, nothing beside them written, weights packed once."""

import gc
import pickle

import numpy as np
import pytest
from registry import needs_kernels

import tconv
from tconv import boxed

pytestmark = needs_kernels


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("operator", [tconv.ConvTranspose, tconv.Conv])
def test_operators_compute_into_boxes(operator, last):
    """Twice, as the second time the call is known; with a padding of its own, and an activation."""
    rng, layout = np.random.default_rng(0), "channels_last" if last else "channels_first"
    w = rng.integers(-4, 5, (3, 3, 4, 4)).astype(np.float32)
    op = operator(w, np.ones(3, np.float32), stride=2, padding=1, layout=layout, activation="relu")
    x = rng.integers(-4, 5, (2, 12, 14, 3) if last else (2, 3, 12, 14)).astype(np.float32)
    inner = (slice(None), slice(1, 9), slice(2, 12)) if last else (..., slice(1, 9), slice(2, 12))
    for one in (op, boxed.padded(op, ((1, 1), (2, 0)))):
        wanted = one(np.ascontiguousarray(x[inner]))
        size = wanted.shape[1:3] if last else wanted.shape[2:]
        box = (slice(None), *(slice(3, 3 + n) for n in size)) if last else (..., *(slice(3, 3 + n) for n in size))
        larger = np.full((2, *(n + 5 for n in size), 3) if last else (2, 3, *(n + 5 for n in size)), np.nan, np.float32)
        for _ in range(2):
            larger[...] = np.nan
            assert boxed.into(one, x[inner], larger[box], larger.size)
            np.testing.assert_array_equal(larger[box], wanted)
            assert np.isnan(larger).sum() == larger.size - wanted.size
    assert boxed.padded(op, ((1, 1), (2, 0)))._packed is op._packed


def test_what_is_not_of_a_call_is_for_the_operator():
    """An element of another type, as wide, and a batch that out has no room for: what is known is of other arrays."""
    op = tconv.ConvTranspose(np.ones((3, 4, 4, 4), np.float32), stride=2, padding=1)
    x, out = np.ones((2, 3, 5, 6), np.float32), np.zeros((2, 4, 10, 12), np.float32)
    assert boxed.into(op, x, out, out.size)
    out[...] = 0
    for other in (x.astype(np.int32), x.astype(x.dtype.newbyteorder())):
        assert not boxed.into(op, other, out, out.size)
    assert not boxed.into(op, x, out[:1], out.size)
    assert not out.any()
    with pytest.raises(ValueError, match="ConvTranspose: x must have 3 channels") as caught:
        boxed.into(op, x[:, :2], out, out.size)
    assert type(caught.value) is ValueError


def test_weights_that_are_not_finite_are_for_others():
    w = np.ones((3, 4, 4, 4), np.float32)
    w[0, 0, 0, 0] = np.inf
    x, out = np.ones((1, 3, 5, 6), np.float32), np.zeros((1, 4, 10, 12), np.float32)
    assert not boxed.into(tconv.ConvTranspose(w, stride=2, padding=1), x, out, out.size)


def test_what_operators_no_longer_need_is_forgotten():
    """Packed weights are kept as long as one of the operators that share them has a call that uses them."""
    op = tconv.ConvTranspose(np.ones((3, 4, 4, 4), np.float32), stride=2, padding=1)
    other = boxed.padded(op, ((1, 1), (2, 0)))
    other(np.ones((1, 3, 5, 6), np.float32))
    op(np.ones((1, 3, 5, 6), np.float32))
    assert len(op._alike) == 2
    assert op._packed
    del other
    gc.collect()
    assert list(op._alike) == [op]


def test_a_pickled_operator_shares_with_nobody():
    op = boxed.padded(tconv.ConvTranspose(np.ones((3, 4, 4, 4), np.float32), stride=2), ((1, 1), (2, 0)))
    again = pickle.loads(pickle.dumps(op))
    assert (list(again._alike), again._packed) == ([again], {})
    x = np.arange(90, dtype=np.float32).reshape(1, 3, 5, 6)
    np.testing.assert_array_equal(again(x), op(x))
