"""How often LLVM is called, and a number of threads."""

import pytest

import tconv
from tconv.jit.machine import compile as compiler


@pytest.fixture
def compiled(monkeypatch):
    """How often LLVM compiled, as a list that grows."""
    times, original = [], compiler._compiled
    monkeypatch.setattr(compiler, "_compiled", lambda *given: times.append(given) or original(*given))
    return times


@pytest.fixture
def three_threads():
    """As many as are asked for, whatever the machine has."""
    tconv.set_num_threads(3)
    yield
    tconv.set_num_threads(None)
