"""The steps of docs/extending.md, taken: a toy of each thing that can be added is added, and computes."""

import platform
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from kind_cases import CASES, problem
from oracle import expected
from registry import needs_kernels

import tconv
from tconv import Geometry, activations, libraries, numpy_ops
from tconv.jit import engine
from tconv.jit.choice import choose, search, tuned
from tconv.jit.description import describe
from tconv.jit.kernels import linking
from tconv.jit.machine import elementary, isa, system_calls, systems
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.machine.systems import host
from tconv.jit.reference import interpret
from tconv.jit.schedules import registry
from tconv.jit.schedules.layouts import layout_of
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.taps import kinds as taps
from tconv.jit.schedules.taps.schedule import TapSchedule

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
CALLS = {
    "conv_transpose": ((2, 5, 6, 7), (5, 9, 4, 3), {"stride": 2, "padding": 1}),
    "conv": ((2, 9, 13, 12), (5, 9, 4, 3), {"stride": (2, 3), "padding": (1, 2)}),
    "weight_gradient": ((2, 5, 6, 7), (2, 9, 12, 13), {"stride": 2, "padding": 1, "kernel_size": (4, 3)}),
}


@pytest.fixture
def anew(folder):
    """Nothing that was made before is used, nor what is made here afterwards."""
    kept = (engine, linking.linked, linking._loaded, linking._object, isa._pick, systems._host)

    def forget():
        engine.forget()
        for each in kept[1:]:
            each.cache_clear()

    forget()
    tconv.set_num_threads(1)
    yield
    tconv.set_num_threads(None)
    forget()


def computes():
    """Whether the engine gives what the definition says, exactly: of small whole numbers."""
    for operation, (*shapes, keywords) in CALLS.items():
        first, second = (np.random.default_rng(1).integers(-3, 4, shape).astype("float32") for shape in shapes)
        results = [
            getattr(tconv, operation)(first, second, **keywords, method=method) for method in ("jit", "zero_insertion")
        ]
        np.testing.assert_array_equal(*results)
    return True


@pytest.mark.quick
def test_the_page_names_files_that_are_there():
    named = set(re.findall(r"`((?:jit|tests)/[\w/.]+\.(?:py|txt))`", PAGE))
    assert len(named) > 20
    folders = (ROOT, ROOT / "src" / "tconv")
    assert [path for path in named if not any((folder / path).exists() for folder in folders)] == []


# ---- a kind of schedule


@dataclass(frozen=True)
class ToySchedule(TapSchedule):
    """Taps in lanes by another name."""

    @property
    def kind(self):
        """The name of its kind."""
        return "toy"


def make_toy(given, layout, target, threads):
    """A toy of what taps in lanes would do."""
    made = taps.TAPS.make(given, layout, target, threads)
    return ToySchedule(**{name: getattr(made, name) for name in made.__dataclass_fields__})


TOY = replace(
    taps.TAPS,
    name="toy",
    title="a toy",
    share=lambda *given: taps.TAPS.share(*given) and 3.0,
    make=make_toy,
    ranked=True,
)


@needs_kernels
def test_a_kind(monkeypatch, anew):
    monkeypatch.setattr(registry, "KINDS", {"toy": TOY, **registry.KINDS})
    monkeypatch.setattr("tconv.jit.choice.model.KINDS", registry.KINDS)
    monkeypatch.setattr("tconv.jit.description.description.KINDS", registry.KINDS)
    given, last = CASES["taps"]
    target = isa.current()
    schedule = choose.choose(given, last, target)
    assert schedule.kind == "toy"
    assert str(describe.describe(schedule, target)).startswith("a toy, ")
    assert {other.kind for other in search.variations(schedule, target)} == {"toy"}
    assert tuned.from_json(tuned.to_json(schedule), given, last, target) == schedule
    assert engine.ready(given, last).schedule.kind == "toy"
    assert computes()


# ---- a set of instructions


@needs_kernels
def test_a_set_of_instructions(monkeypatch, anew):
    best = isa.current()
    toy = isa.Isa("toy", best.architecture, best.features, (), 16, 12, best.fma, False, False, 0)
    monkeypatch.setitem(isa.ISAS, "toy", toy)
    monkeypatch.setenv("TCONV_ISA", "toy")
    assert isa.current() is toy
    for kind, (given, last) in CASES.items():
        assert choose.choose(given, last, toy).lanes == 4, kind
    assert computes()
    plan = tconv.plan(*CALLS["conv_transpose"][:2], stride=2, padding=1, method="jit")
    assert ", toy, 1 thread" in str(plan)


# ---- a system


@needs_kernels
def test_a_system(monkeypatch, anew):
    """It is named, and LLVM knows it; nothing is known of its threads."""
    here = host()
    monkeypatch.setitem(systems.TRIPLES, ("toy", here.architecture), systems.TRIPLES[here])
    monkeypatch.setitem(systems._SYSTEMS, "Toy", "toy")
    monkeypatch.setattr(isa, "ISAS", {name: row.on("toy") for name, row in isa.ISAS.items()})
    monkeypatch.setattr(platform, "system", lambda: "Toy")
    systems._host.cache_clear()
    assert system_calls.here() is None
    assert isa.available()
    assert computes()


def test_another_system_is_refused_in_words(monkeypatch, anew):
    monkeypatch.setattr(platform, "system", lambda: "Toy")
    systems._host.cache_clear()
    assert isa.available() == ()
    plan = str(tconv.plan(*CALLS["conv_transpose"][:2], stride=2, padding=1))
    assert "has no kernels for this processor" in plan


# ---- a dtype


@pytest.mark.quick
def test_a_dtype(monkeypatch):
    """float16 computed in itself: tables and meaning follow from its row, and IR is written in its type."""
    monkeypatch.setitem(ELEMENTS, "float16", "half")
    monkeypatch.setitem(interpret.DTYPES, "half", np.dtype("float16"))
    given = problem("float16", channels=(3, 4), geometry=Geometry.conv_transpose((5, 6), 3, stride=2, padding=1))
    target = isa.ISAS["avx512"]
    schedule = pixels.make(given, layout_of(given, False), target)
    assert schedule.lanes == 32
    assert "<32 x half>" in linking.ir(schedule.code.kernels[0], target)
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (1, 3, 5, 6)).astype("float16")
    w = rng.integers(-2, 3, (3, 4, 3, 3)).astype("float16")
    y = np.full((1, 4, 9, 11), np.nan, "float16")
    interpret.interpret(registry.program_of(schedule, 1), x, w, None, y)
    wanted = expected("conv_transpose", given.geometry, x.astype(float), w.astype(float), np.zeros(y.shape), 1)
    np.testing.assert_array_equal(y, wanted)


# ---- an activation


@needs_kernels
def test_an_activation(monkeypatch, anew):
    monkeypatch.setitem(activations.ACTIVATIONS, "toy", activations.Definition(lambda v: v * v, "x^2", exact=True))
    monkeypatch.setitem(elementary.FUNCTIONS, "toy", lambda arithmetic, x: arithmetic.do("fmul", x, x))
    for operation in ("conv_transpose", "conv"):
        *shapes, keywords = CALLS[operation]
        first, second = (np.random.default_rng(1).integers(-3, 4, shape).astype("float32") for shape in shapes)
        compute = getattr(tconv, operation)
        squares = compute(first, second, **keywords, method="jit", activation="toy")
        np.testing.assert_array_equal(squares, compute(first, second, **keywords, method="gemm") ** 2)


# ---- an array library


class ToyArray:
    """An array of a library that nobody knows."""

    def __init__(self, values):
        self.values = np.asarray(values)


@pytest.mark.quick
def test_an_array_library(monkeypatch):
    toy, computing = ModuleType("toy_arrays"), ModuleType("toy_computing")
    toy.ToyArray = ToyArray
    computing.compute = lambda operation, operands, *others: ToyArray(
        numpy_ops.compute(operation, {name: toy.values for name, toy in operands.items()}, *others)
    )
    row = libraries.Library("Toy", "toy_arrays", "ToyArray", "toy_computing")
    monkeypatch.setattr(libraries, "LIBRARIES", (row, *libraries.LIBRARIES))
    for module in (toy, computing):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for operation, (*shapes, keywords) in CALLS.items():
        first, second = (np.random.default_rng(1).random(shape) for shape in shapes)
        compute = getattr(tconv, operation)
        result = compute(ToyArray(first), ToyArray(second), **keywords)
        np.testing.assert_array_equal(result.values, compute(first, second, **keywords))
