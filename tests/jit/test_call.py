"""Prepared calls: what is set anew, threads, instructions or choices of tune, the next call of every kind heeds."""

import numpy as np
import pytest
from registry import needs_kernels

import tconv
from tconv import ops, prepared
from tconv.jit import engine
from tconv.jit.machine import isa

pytestmark = needs_kernels

RNG = np.random.default_rng(7)
X, W, BIAS = (RNG.integers(-3, 4, shape).astype(np.float32) for shape in ((2, 4, 5, 3), (4, 6, 3, 3), (6,)))
Y = RNG.integers(-3, 4, (2, 6, 9, 5)).astype(np.float32)
KEYWORDS = {"stride": 2, "padding": 1, "method": "jit"}
OTHER = isa.available()[-1]

CHANGES = {
    "threads": lambda monkeypatch: tconv.set_num_threads(tconv.get_num_threads() + 1),
    "instructions": lambda monkeypatch: monkeypatch.setenv("TCONV_ISA", OTHER),
    "choices": lambda monkeypatch: engine.forget(),
}


def operator():
    """The operator; it lives as long as the call."""
    op = tconv.ConvTranspose(W, BIAS, **KEYWORDS)
    return lambda: op(X)


def conv_operator():
    """That of the convolution."""
    op = tconv.Conv(W, **KEYWORDS)
    return lambda: op(Y)


WAYS = {
    "ConvTranspose": operator,
    "Conv": conv_operator,
    "conv_transpose": lambda: lambda: tconv.conv_transpose(X, W, BIAS, **KEYWORDS),
    "conv": lambda: lambda: tconv.conv(Y, W, **KEYWORDS),
}


@pytest.fixture(autouse=True)
def default_settings(monkeypatch):
    monkeypatch.delenv("TCONV_ISA", raising=False)
    yield
    tconv.set_num_threads(None)


@pytest.fixture
def engines(monkeypatch):
    """Those that ran."""
    ran, run = [], engine.Engine.run
    monkeypatch.setattr(engine.Engine, "run", lambda self, *given: (ran.append(self), run(self, *given))[1])
    return ran


@pytest.fixture
def long_way(monkeypatch):
    """How often everything was checked."""
    taken = []
    for holder, name in ((ops, "_compute"), (prepared._Prepared, "_call")):
        checked = getattr(holder, name)
        monkeypatch.setattr(holder, name, lambda *given, way=checked: (taken.append(1), way(*given))[1])
    return taken


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_set_anew_is_heeded_by_the_next_call_and_remembered(way, change, engines, long_way, monkeypatch):
    call = WAYS[way]()
    expected = call()
    np.testing.assert_array_equal(call(), expected)
    assert len(long_way) == 1
    CHANGES[change](monkeypatch)
    for _ in range(3):
        np.testing.assert_array_equal(call(), expected)
    assert len(long_way) == 2
    before, again, *after = engines
    assert before is again
    assert len(set(map(id, after))) == 1
    assert after[0] is not before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "value"), [("TCONV_ISA", "sse9"), ("TCONV_NUM_THREADS", "many")])
def test_a_setting_that_is_wrong_is_explained_until_it_is_mended(way, name, value, monkeypatch):
    call = WAYS[way]()
    expected = call()
    with monkeypatch.context() as patch:
        patch.setenv(name, value)
        tconv.set_num_threads(None)
        for _ in range(2):
            with pytest.raises(ValueError, match=rf"^{way}: {name} must be .* got '?{value}'?\n  called with "):
                call()
    np.testing.assert_array_equal(call(), expected)


@pytest.mark.parametrize("way", WAYS)
def test_arrays_that_were_pickled_are_read_as_they_are(way, long_way, monkeypatch):
    """Their dtype is equal to NumPy's own, and another object."""
    import pickle

    expected = WAYS[way]()()
    for name in ("X", "W", "BIAS", "Y"):
        monkeypatch.setitem(globals(), name, pickle.loads(pickle.dumps(globals()[name])))
    assert X.dtype is not np.dtype("f4")
    call = WAYS[way]()
    call()
    del long_way[:]
    np.testing.assert_array_equal(call(), expected)
    assert not long_way


def test_what_is_set_while_a_call_is_prepared_is_not_missed(engines, monkeypatch):
    """As by another thread."""
    op, ready = tconv.ConvTranspose(W, **KEYWORDS), engine.ready

    def meanwhile(*given, **more):
        made = ready(*given, **more)
        engine.forget()
        return made

    with monkeypatch.context() as patch:
        patch.setattr(engine, "ready", meanwhile)
        op(X)
    op(X)
    before, after = engines
    assert after is not before


def test_weights_in_an_order_that_is_no_longer_used_are_dropped(monkeypatch):
    op = tconv.ConvTranspose(W, **KEYWORDS)
    for name in (*isa.available(), *isa.available()):
        monkeypatch.setenv("TCONV_ISA", name)
        op(X)
        assert len(op._packed) == 1
