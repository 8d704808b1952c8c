"""Calls that were seen before take the short way, give the same, and whatever is unusual takes the long way."""

import numpy as np
import pytest

import tconv
from tconv import ops, repeated
from tconv.jit import engine
from tconv.jit.choice import tuned

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(7)
X, W, BIAS = (RNG.normal(size=shape).astype(np.float32) for shape in ((2, 4, 5, 3), (4, 6, 3, 3), (6,)))
Y = RNG.normal(size=(2, 6, 9, 5)).astype(np.float32)
KEYWORDS = {"stride": 2, "padding": 1, "method": "jit"}
#: The same, as `repeated` takes it.
WINDOW = ((2, 1, 0, None, 1, 1), "channels_first", "jit")


@pytest.fixture(autouse=True)
def nothing_known():
    repeated._known.clear()


@pytest.fixture
def long_way(monkeypatch):
    """How often the long way was taken."""
    taken, compute = [], ops._compute
    monkeypatch.setattr(ops, "_compute", lambda *arguments: (taken.append(1), compute(*arguments))[1])
    return taken


CALLS = {
    "conv_transpose": lambda **more: tconv.conv_transpose(X, W, **KEYWORDS, **more),
    "with a bias": lambda **more: tconv.conv_transpose(X, W, BIAS, **KEYWORDS, **more),
    "an image": lambda **more: tconv.conv_transpose(X[0], W, **KEYWORDS, **more),
    "channels last": lambda **more: tconv.conv_transpose(
        np.ascontiguousarray(np.moveaxis(X, 1, -1)), W, BIAS, layout="channels_last", **KEYWORDS, **more
    ),
    "float64": lambda **more: tconv.conv_transpose(X.astype("f8"), W.astype("f8"), **KEYWORDS, **more),
    "tuples": lambda **more: tconv.conv_transpose(
        X, W, **{**KEYWORDS, "stride": (2, 1), "padding": ((1, 0), 1)}, **more
    ),
    "words": lambda **more: tconv.conv_transpose(X, W, **{**KEYWORDS, "padding": "same"}, **more),
    "conv": lambda **more: tconv.conv(Y, W, **KEYWORDS, **more),
    "conv with a bias": lambda **more: tconv.conv(Y, W, BIAS[:4], **KEYWORDS, **more),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_second_call_takes_the_short_way_and_gives_the_same(name, long_way):
    results = [CALLS[name]() for _ in range(3)]
    assert len(long_way) == 1
    assert len({result.__array_interface__["data"][0] for result in results}) == 3  # an array of its own each time
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
        assert (result.dtype, result.strides) == (results[0].dtype, results[0].strides)
    out = np.full_like(results[0], np.nan)
    assert CALLS[name](out=out) is out
    np.testing.assert_array_equal(out, results[0])


def test_keys_that_are_equal_but_of_another_type_are_not_the_same_call():
    tconv.conv_transpose(X, W, **KEYWORDS)
    for stride in (2.0, np.float64(2)):
        with pytest.raises(TypeError, match="stride must be an integer"):
            tconv.conv_transpose(X, W, **{**KEYWORDS, "stride": stride})
    with pytest.raises(TypeError, match="padding must be"):
        tconv.conv_transpose(X, W, **{**KEYWORDS, "padding": True})
    tconv.conv_transpose(X, W, **{**KEYWORDS, "stride": (2, 2)})
    with pytest.raises(TypeError, match=r"stride.* must be an integer"):
        tconv.conv_transpose(X, W, **{**KEYWORDS, "stride": (2, 2.0)})
    with pytest.raises((TypeError, ValueError), match="layout must be"):
        tconv.conv_transpose(X, W, **KEYWORDS, layout=[1])


@pytest.mark.parametrize(
    ("x", "w", "bias"),
    [
        (X[:, ::-1], W, None), (X, W[..., ::-1], None), (X, W, np.arange(12, dtype=np.float32)[::2]),
        (X.astype(">f4"), W.astype(">f4"), None), (X.view(type("Mine", (np.ndarray,), {})), W, None),
    ],
    ids=["x", "w", "bias", "byte order", "subclass"],
)  # fmt: skip
def test_arrays_that_cannot_be_read_as_they_are_take_the_long_way(x, w, bias, long_way):
    for b in (None, BIAS):
        tconv.conv_transpose(X, W, b, **KEYWORDS)
    del long_way[:]
    result = tconv.conv_transpose(x, w, bias, **KEYWORDS)
    assert len(long_way) == 1
    expected = tconv.conv_transpose(*(np.array(a, "f8") for a in (x, w)), None, **KEYWORDS)
    expected += 0 if bias is None else bias.reshape(-1, 1, 1)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_weights_that_are_not_finite_reach_what_a_tap_ties_and_nothing_else(long_way):
    tconv.conv_transpose(X, W, **KEYWORDS)
    spoiled = W.copy()
    spoiled[0, 0, 0, 0] = np.nan
    result = tconv.conv_transpose(X, spoiled, **KEYWORDS)
    assert len(long_way) == 2
    np.testing.assert_array_equal(np.isnan(result), np.isnan(tconv.conv_transpose(X, spoiled, stride=2, padding=1,
                                                                                  method="phases")))  # fmt: skip


@pytest.mark.parametrize("bias", [BIAS[:5], BIAS.astype("f8"), list(BIAS)], ids=["shape", "dtype", "list"])
def test_a_wrong_bias_is_an_error_as_before(bias):
    tconv.conv_transpose(X, W, BIAS, **KEYWORDS)
    with pytest.raises((TypeError, ValueError), match="bias"):
        tconv.conv_transpose(X, W, bias, **KEYWORDS)


def test_what_has_been_set_since_counts(long_way, monkeypatch):
    def calls():
        tconv.conv_transpose(X, W, **KEYWORDS)
        tconv.conv_transpose(X, W, **KEYWORDS)
        return len(long_way)

    assert calls() == 1
    engine.forget()
    assert calls() == 2
    monkeypatch.setenv("TCONV_ISA", "baseline")
    assert calls() == 3
    before = tconv.get_num_threads()
    tconv.set_num_threads(before + 1)
    try:
        assert calls() == 4
    finally:
        tconv.set_num_threads(None)


def test_what_is_set_while_a_call_is_made_counts(monkeypatch):
    """By another thread, of which the first call then knows nothing."""
    ready, meanwhile = engine.ready, [lambda: tconv.set_num_threads(tconv.get_num_threads() + 1), engine.forget]

    def disturbed(*given, **how):
        made = ready(*given, **how)
        if how.get("once") and meanwhile:
            meanwhile.pop()()
        return made

    monkeypatch.setattr(engine, "ready", disturbed)
    try:
        for times in (1, 2, 3, 3):
            repeated.remember(tconv.plan(X, W, **KEYWORDS), X, W, *WINDOW)
            [call] = repeated._known.values()
            assert (call.state == call.current()) == (times == 3)
    finally:
        tconv.set_num_threads(None)


@pytest.mark.parametrize("step", ["remembered", "build"])
def test_an_engine_made_while_a_choice_is_found_is_not_used_after_it(step, monkeypatch):
    """Whether that happens before a schedule is chosen, or before the engine is kept."""
    module, times = {"remembered": tuned, "build": engine}[step], []
    original = getattr(module, step)

    def disturbed(*given):
        made = original(*given)
        times.append(1)
        if len(times) == 1:
            engine.forget()
        return made

    monkeypatch.setattr(module, step, disturbed)
    problem = tconv.plan(X, W, **KEYWORDS).problem
    engine.forget()
    first, second, third = (engine.ready(problem, False) for _ in range(3))
    assert len(times) == 2
    assert first is not second is third


@pytest.mark.parametrize(("name", "value"), [("TCONV_ISA", "sse9"), ("TCONV_NUM_THREADS", "many")])
def test_a_wrong_environment_is_explained(name, value, monkeypatch):
    tconv.conv_transpose(X, W, **KEYWORDS)
    monkeypatch.setenv(name, value)
    tconv.set_num_threads(None)
    with pytest.raises(ValueError, match=rf"conv_transpose: {name} must be .* got '?{value}"):
        tconv.conv_transpose(X, W, **KEYWORDS)


def test_what_the_engine_does_not_compute_itself_is_not_kept():
    tconv.conv_transpose(X, W, stride=2, method="phases")
    tconv.conv_transpose(X[:0], W, **KEYWORDS)
    tconv.conv_transpose(X.astype("f2"), W.astype("f2"), **KEYWORDS)
    tconv.conv_transpose(X, W, stride=[2, 2], method="jit")
    assert not repeated._known


def test_what_is_kept_stays_where_a_call_goes_the_long_way():
    result = tconv.conv_transpose(X, W, **KEYWORDS)
    [before] = repeated._known.values()
    tconv.conv_transpose(X, W, **KEYWORDS, out=result)
    assert list(repeated._known.values()) == [before]
    engine.forget()
    tconv.conv_transpose(X, W, **KEYWORDS, out=result)
    assert list(repeated._known.values()) != [before]


def test_as_many_as_the_limit_are_kept(monkeypatch):
    monkeypatch.setattr(repeated, "MOST", 2)
    for size in (1, 2, 3):
        tconv.conv_transpose(X[:, :, :size], W, **KEYWORDS)
    assert len(repeated._known) == 1
