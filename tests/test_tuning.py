"""`tconv.tune`: what is measured, what is chosen, what is remembered, and what is refused."""

import os

import numpy as np
import pytest
from kind_cases import CASES, problem
from needs import needs_modes

import tconv
from tconv import tuning
from tconv.jit import engine
from tconv.jit.choice import choose, model, tuned
from tconv.jit.choice.search import variations
from tconv.jit.machine import cache, isa
from tconv.jit.schedules.registry import KINDS

needs_kernels = pytest.mark.skipif(not isa.available(), reason="no kernels are generated for this processor")
SHAPES, STRIDE = ((1, 3, 4, 5), (3, 4, 2, 2)), 2


@pytest.fixture(autouse=True)
def nothing_remembered(folder, monkeypatch):
    """No choice of an earlier test, in this process or on disk."""
    monkeypatch.setattr(tuned, "_here", {})
    engine.forget()
    yield
    engine.forget()


@pytest.fixture
def few(monkeypatch):
    """One variation of each kind: compiling takes most of the time."""
    monkeypatch.setattr(tuning, "variations", lambda schedule, target: variations(schedule, target)[:1])


# ---- measuring and choosing


def quick(**keywords):
    return tconv.tune(*SHAPES, stride=STRIDE, threads=1, seconds=0.01, **keywords)


@needs_kernels
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_the_best_is_chosen_and_used(few, layout):
    shapes = [SHAPES[0] if layout == "channels_first" else (1, 4, 5, 3), SHAPES[1]]
    found = tconv.tune(*shapes, stride=STRIDE, layout=layout, dtype="float64", threads=1, seconds=0.02)
    times = [candidate.seconds for candidate in found.candidates]
    assert times == sorted(times)
    assert len({candidate.schedule for candidate in found.candidates}) == len(times) > 2
    assert {found.model, found.chosen} <= set(found.candidates)
    assert found.chosen in (found.candidates[0], found.model)
    assert found.speedup >= 1
    assert all(0 < candidate.share < 2 for candidate in found.candidates)
    assert choose.choose(found.plan.problem, layout == "channels_last", isa.current()) == found.chosen.schedule
    assert engine.ready(found.plan.problem, layout == "channels_last").schedule == found.chosen.schedule


@needs_kernels
@pytest.mark.parametrize("last", [False, True])
def test_conv_is_tuned_too(few, last):
    shapes = [(1, 8, 10, 4) if last else (1, 4, 8, 10), SHAPES[1]]
    layout = "channels_last" if last else "channels_first"
    found = tconv.tune(*shapes, operation="conv", stride=STRIDE, layout=layout, threads=1, seconds=0.01)
    assert found.plan.problem.operation == "conv"
    assert found.plan.result_shape == ((1, 4, 5, 3) if last else (1, 3, 4, 5))
    assert str(found).startswith(f"conv, y {shapes[0]}, w (3, 4, 2, 2), float32, {layout}; ")
    assert choose.choose(found.plan.problem, last, isa.current()) == found.chosen.schedule
    assert tuned.remembered(problem(), last, isa.current()) is None  # of conv_transpose nothing was said


@needs_kernels
@pytest.mark.parametrize("last", [False, True])
def test_weight_gradient_is_tuned_too(last):
    """All variations, which must agree with the model's choice; the choice is what a call takes."""
    x_shape, y_shape = [(2, 5, 6, 18), (2, 11, 13, 7)] if last else [(2, 18, 5, 6), (2, 7, 11, 13)]
    layout = "channels_last" if last else "channels_first"
    keywords = {"stride": 2, "padding": 1, "output_padding": (0, 1), "layout": layout}
    found = tconv.tune(x_shape, (18, 7, 5, 4), operation="weight_gradient", threads=1, seconds=0.01, **keywords)
    assert len(found.candidates) > 3
    assert found.plan.result_shape == (18, 7, 5, 4)
    assert found.plan.y_shape == y_shape
    assert str(found).startswith(f"weight_gradient, x {x_shape}, w (18, 7, 5, 4), float32, {layout}; ")
    of_call = tconv.plan(x_shape, y_shape, operation="weight_gradient", kernel_size=(5, 4), **keywords).problem
    assert tuned.remembered(of_call, last, isa.current()) == found.chosen.schedule
    worst = found.candidates[-1].schedule
    x, y = (np.random.default_rng(0).integers(-3, 4, shape).astype(np.float32) for shape in (x_shape, y_shape))
    expected = tconv.weight_gradient(x, y, (5, 4), method="phases", **keywords)
    for schedule in (found.chosen.schedule, worst):
        tuned.remember(of_call, last, isa.current(), schedule)
        engine.forget()
        np.testing.assert_array_equal(tconv.weight_gradient(x, y, (5, 4), method="jit", **keywords), expected)


@needs_kernels
def test_another_schedule_computes_the_same(few, monkeypatch):
    """Another one than the model's choice is remembered, however the times came out."""
    x, w = np.random.default_rng(0).random((2, 1, 3, 4, 5)).astype("float32")[0], np.ones(SHAPES[1], np.float32)
    before = tconv.conv_transpose(x, w, stride=STRIDE, method="jit")
    given = problem()
    expected = model.by_model(given, False, isa.current())
    other = next(c.schedule for c in quick().candidates if c.schedule != expected)
    tuned.remember(given, False, isa.current(), other)
    engine.forget()
    assert engine.ready(given, False).schedule == other
    after = tconv.conv_transpose(x, w, stride=STRIDE, method="jit")
    np.testing.assert_allclose(after, before, rtol=1e-6)


@needs_kernels
@pytest.mark.parametrize("kind", [kind for kind in CASES if KINDS[kind].exact])
def test_every_variation_agrees(kind):
    """`tune` itself compares every bit; the first result is compared with another method here."""
    given, last = CASES[kind]
    geometry, layout = given.geometry, "channels_last" if last else "channels_first"
    keywords = {**geometry.keywords, "groups": given.groups, "layout": layout}
    x, y = (
        (given.batch, *size, channels) if last else (given.batch, channels, *size)
        for channels, size in ((given.in_channels, geometry.coarse), (given.out_channels, geometry.fine))
    )
    w = (given.in_channels, given.cout, *geometry.kernel)
    found = tconv.tune(x, w, operation=given.operation, **keywords, threads=1, seconds=0.01)
    assert kind in {candidate.schedule.kind for candidate in found.candidates}
    shapes, more = ((x, w), {}) if given.operation == "conv_transpose" else ((x, y), {"kernel_size": geometry.kernel})
    if more:
        del keywords["output_padding"]
    first, second = (np.random.default_rng(0).integers(-3, 4, shape).astype("float32") for shape in shapes)
    compute = getattr(tconv, given.operation)
    results = [compute(first, second, **more, **keywords, method=method) for method in ("jit", "phases")]
    np.testing.assert_array_equal(*results)


@needs_kernels
def test_a_candidate_that_is_wrong_is_an_error(few, monkeypatch):
    original, seen = tuning._Tuning.call, []

    def call(self, made):
        original(self, made)
        seen.append(made.schedule)
        self.y[..., -1] += made.schedule != seen[0]

    monkeypatch.setattr(tuning._Tuning, "call", call)
    with pytest.raises(
        RuntimeError, match=r"^tune: \w+: vectors .* gives another result than \w+: vectors .*, on conv_t"
    ):
        quick()
    assert not tuned._here


@needs_kernels
def test_a_small_gain_does_not_count(few, monkeypatch):
    """What is within the noise of the model's choice is no reason to leave it."""

    def race(self, seconds):
        self.peaks.append(1e9)
        return {schedule: 1.0 - 0.001 * number for number, schedule in enumerate(self.engines)}

    monkeypatch.setattr(tuning._Tuning, "race", race)
    found = quick()
    assert found.chosen is found.model is not found.candidates[0]
    assert found.speedup == 1


@needs_kernels
def test_the_table(few, folder):
    found = quick()
    first, header, *rows, last = str(found).splitlines()
    assert first == f"x (1, 3, 4, 5), w (3, 4, 2, 2), float32, channels_first; {isa.current().name}, 1 thread"
    assert header.split() == ["candidate", "ms", "of", "peak"]
    assert len(rows) == len(found.candidates)
    assert [row for row in rows if "< chosen" in row] == [rows[found.candidates.index(found.chosen)]]
    assert [row for row in rows if row.endswith("the model's choice")] == [rows[found.candidates.index(found.model)]]
    assert all(
        c.schedule.kind in row and " cache block 1x" in row for c, row in zip(found.candidates, rows, strict=True)
    )
    assert (
        last == f"{found.speedup:.2f} times as fast as the model's choice; remembered in this process and in {folder}"
    )


@needs_kernels
def test_threads_are_as_they_were(few):
    tconv.set_num_threads(2)
    try:
        assert quick().threads == 1
        assert tconv.get_num_threads() == 2
    finally:
        tconv.set_num_threads(None)


# ---- remembering


@needs_kernels
def test_a_new_process_reads_what_was_chosen(few, monkeypatch):
    found = quick()
    other = found.candidates[-1].schedule
    assert tuned.remember(problem(), False, isa.current(), other)
    monkeypatch.setattr(tuned, "_here", {})
    assert tuned.remembered(problem(), False, isa.current()) == other
    choose.choose.cache_clear()
    assert choose.choose(problem(), False, isa.current()) == other
    for unlike in (problem("float64"), problem(batch=2), problem(channels=(3, 5))):
        assert tuned.remembered(unlike, False, isa.current()) is None
    assert tuned.remembered(problem(), True, isa.current()) is None
    assert tuned.remembered(problem(), False, isa.ISAS["neon"]) is None
    cache.clear()
    assert tuned.remembered(problem(), False, isa.current()) is None


@needs_kernels
@needs_modes
def test_where_nothing_can_be_kept_the_choice_holds_in_this_process(few, folder):
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning):
        found = quick()
    assert found.kept == ""
    assert str(found).endswith("; remembered in this process only")
    assert choose.choose(found.plan.problem, False, isa.current()) == found.chosen.schedule


# ---- errors


ERRORS = [
    ({"stride": 0}, ValueError, "stride must be an integer of at least 1; got 0"),
    (
        {"operation": "deconv"},
        ValueError,
        'operation must be one of "conv_transpose", "conv", "weight_gradient"; got \'deconv\'; '
        'did you mean "conv_transpose"?',
    ),
    (
        {"layout": "nhwc"},
        ValueError,
        'layout must be one of "channels_first", "channels_last"; got \'nhwc\'; did you mean "channels_last"?',
    ),
    ({"dtype": "int8"}, ValueError, 'method "jit" computes floating point and complex numbers only, not int8'),
    (
        {"dtype": "complex64"},
        ValueError,
        "dtype must be a real one: kernels compute complex64 as float32; got complex64",
    ),
    ({"threads": 0}, ValueError, "threads must be an integer of at least 1; got 0"),
    ({"threads": 1.5}, TypeError, "threads must be an integer of at least 1; got 1.5 of type float"),
    ({"threads": 5000}, ValueError, "threads must be at most 1024; got 5000"),
    ({"seconds": 0}, ValueError, "seconds must be more than 0 and finite; got 0"),
    ({"seconds": float("nan")}, ValueError, "seconds must be more than 0 and finite; got nan"),
    ({"seconds": "1"}, TypeError, "seconds must be a number; got '1' of type str"),
    ({"seconds": True}, TypeError, "seconds must be a number; got True of type bool"),
    ({"x_shape": 3}, TypeError, "x_shape must be a shape or an array; got 3 of type int"),
    ({"x_shape": (0, 3, 4, 5)}, ValueError, "x_shape must have at least 1 image to measure with; got (0, 3, 4, 5)"),
    (
        {"x_shape": (1, 4, 4, 5)},
        ValueError,
        "x must have 3 channels, the first size of w; got 4; "
        "is w in a convolution's order (Cout, Cin, *kernel): w.swapaxes(0, 1)?",
    ),
]


@needs_kernels
@pytest.mark.parametrize(("wrong", "kind", "text"), ERRORS)
def test_errors(wrong, kind, text):
    keywords = {"x_shape": SHAPES[0], "w_shape": SHAPES[1], **wrong}
    with pytest.raises(kind) as error:
        tconv.tune(**keywords)
    assert str(error.value) == f"tune: {text}"


@needs_kernels
def test_an_unknown_processor_is_an_error(monkeypatch):
    monkeypatch.setenv("TCONV_ISA", "sse9")
    with pytest.raises(ValueError, match=r"^tune: TCONV_ISA must be one of .* on this machine, or unset; got 'sse9'$"):
        quick()
    assert os.environ["TCONV_ISA"] == "sse9"
