"""Fingerprints of memory: what changes them, and that they are functions of the bytes alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tconv.jit.machine import fingerprint, isa

FACTOR, ROTATION, MASK = fingerprint.FACTOR, fingerprint.ROTATION, (1 << 64) - 1


def mixed(state, word):
    product = ((state ^ word) * FACTOR) & MASK
    return (product << ROTATION | product >> (64 - ROTATION)) & MASK


def by_definition(data, state, lanes):
    """What the kernel computes, word by word."""
    step = fingerprint.CHAINS * lanes * 8
    whole = len(data) // step * step
    states = [state] * (fingerprint.CHAINS * lanes)
    for at in range(0, whole, 8):
        place = at // 8 % len(states)
        states[place] = mixed(states[place], int.from_bytes(data[at : at + 8], "little"))
    for word in states if whole else []:
        state = mixed(state, word)
    for at in range(whole, len(data), 4):
        state = mixed(state, int.from_bytes(data[at : at + 4], "little"))
    return state


def taken(name, first, second=b""):
    arrays = [np.frombuffer(data or b"\0\0\0\0", np.uint8) for data in (first, second)]
    given = [number for a, data in zip(arrays, (first, second), strict=True) for number in (a.ctypes.data, len(data))]
    return fingerprint._function(isa.ISAS[name])(*given) & MASK


@pytest.mark.parametrize("name", isa.available())
@pytest.mark.parametrize("words", [(0, 0), (1, 0), (5, 3), (127, 1), (128, 128), (257, 0), (1000, 31)])
def test_the_definition(name, words):
    rng = np.random.default_rng(0)
    first, second = (rng.bytes(4 * n) for n in words)
    lanes = isa.ISAS[name].vector_bytes // 8
    expected = by_definition(second, by_definition(first, FACTOR & MASK, lanes), lanes)
    assert taken(name, first, second) == expected


@given(st.integers(1, 600), st.data())
def test_any_two_differ(words, data):
    a = np.random.default_rng(words).standard_normal(words).astype(np.float32)
    b = a.copy()
    places = data.draw(st.lists(st.integers(0, words - 1), min_size=1, max_size=4, unique=True))
    how = data.draw(st.sampled_from(["negated", "a bit", "rolled"]))
    if how == "negated":
        b[places] *= -1
    elif how == "a bit":
        b.view(np.uint32)[places] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    else:
        b = np.roll(b, places[0] + 1)
    name = isa.available()[0]
    assert (taken(name, a.tobytes()) == taken(name, b.tobytes())) == (a.tobytes() == b.tobytes())


def test_where_one_part_ends_matters():
    data = np.random.default_rng(0).bytes(4096)
    name = isa.available()[0]
    assert len({taken(name, data[:n], data[n:]) for n in (0, 4, 1024, 4092)}) == 4
