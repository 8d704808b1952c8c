"""The page's arithmetic is the library's: axes, geometries, formulas, options and what `solve` finds, in TypeScript."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import asdict
from math import prod
from operator import attrgetter
from typing import Any

import problems
import pytest
from port import ask, record
from strategies import GEOMETRIES

from tconv import Axis, Geometry, explain
from tconv.cli import errors, main
from tconv.phases import axis_phases, phases
from tconv.solving import Solutions
from tconv.solving import solve as solved

options = pytest.importorskip("tconv.cli.options", exc_type=ModuleNotFoundError)
command = pytest.importorskip("tconv.cli.solve", exc_type=ModuleNotFoundError)

#: Doubles hold every integer below.
EXACT = 2**53
#: How the page refuses what it could not count.
TOO_LARGE = "the page counts exactly up to 2**53; "


def random_geometries(number: int) -> list[Geometry]:
    """Edge cases and random ones, of 1 to 4 axes."""
    pick = random.Random(14).choice
    drawn = [problems.geometry(pick, (1, 1, 2, 2, 3, 4)) for _ in range(number)]
    return [*(case.values[0] for case in GEOMETRIES), *drawn]


def large_axes(number: int) -> list[Axis]:
    """Axes whose sizes, strides and kernels are of any magnitude."""
    draw = random.Random(2)
    found = [  # more pairs of a cell and a tap than doubles count; few of them land
        Axis(157215067865, 7425733, 578, (45437601391454, 45437601391454), 145, 659),
        Axis(2891517262, 765831796, 4, (6163987475, 6163987475)),
    ]
    while len(found) < number:
        coarse, kernel, stride, dilation = (draw.randrange(1, 10 ** draw.randrange(1, 7)) for _ in range(4))
        span = dilation * (kernel - 1) + 1
        low, high = (draw.choice((0, -1, span // 2, draw.randrange(-span, span + 1))) for _ in range(2))
        try:
            found.append(Axis(coarse, kernel, stride, (low, high), draw.randrange(max(stride, dilation)), dilation))
        except ValueError:
            continue
    return found


def plain(value: Any) -> Any:
    """As JSON gives it back."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return list(map(plain, value)) if isinstance(value, (tuple, list)) else value


def cells(these: range) -> dict[str, int]:
    """A range as JSON has it."""
    return {"start": these.start, "stop": these.stop, "step": these.step, "length": len(these)}


#: What an axis says, by its name in TypeScript.
OF_AXIS: dict[str, Callable[[Axis], Any]] = {
    "fine": attrgetter("fine"),
    "toString": str,
    "effectiveKernel": attrgetter("effective_kernel"),
    "fineSizes": lambda axis: cells(axis.fine_sizes),
    "zeroInserted": lambda axis: asdict(axis.zero_inserted) | {"asAxis": asdict(axis.zero_inserted.as_axis)},
    "pairs": attrgetter("pairs"),
    "unevenness": attrgetter("unevenness"),
    "isEven": attrgetter("is_even"),
}
#: What it says of each cell, tap or residue, of which there are so many.
OF_INDEX: dict[str, tuple[str, Callable[[Axis, int], Any]]] = {
    "projectiveField": ("coarse", lambda axis, c: cells(axis.projective_field(c))),
    "receptiveField": ("fine", lambda axis, o: cells(axis.receptive_field(o))),
    "coverageAt": ("fine", Axis.coverage_at),
    "tapsOfPhase": ("stride", lambda axis, residue: cells(axis.taps_of_phase(residue))),
    "pairsOfTap": ("kernel", lambda axis, tap: cells(axis.pairs_of_tap(tap))),
}
#: The sentences about an axis.
EXPLAINED: dict[str, Callable[[Axis], Any]] = {
    "convFormula": explain.conv_formula,
    "remainder": explain.remainder,
    "convTransposeFormula": explain.conv_transpose_formula,
    "paddings": explain.paddings,
    "zeroInserted": explain.zero_inserted,
    "coverageAlong": explain.coverage_along,
    "reach": explain.reach,
}
OF_GEOMETRY: dict[str, Callable[[Geometry], Any]] = {
    **{name: attrgetter(name) for name in ("fine", "coarse", "kernel", "stride", "padding", "output_padding")},
    **{name: attrgetter(name) for name in ("dilation", "ndim", "unevenness")},
    "toString": str,
    "fineSizes": lambda geometry: list(map(cells, geometry.fine_sizes)),
    "receptiveField": attrgetter("receptive_field"),
    "isEven": attrgetter("is_even"),
}
#: Arrays and lists of phases are compared where there are no more fine cells.
LISTED = 300


def check(asked: list[tuple[list[Any], Any]]) -> None:
    """The page answers every call as the library does; the first that differs is shown."""
    for (call, wanted), got in zip(asked, ask(call for call, _ in asked), strict=True):
        assert got == plain(wanted), call


def said_of(it: Any, table: dict[str, Callable[[Any], Any]]) -> list[Any]:
    return [of(it) for of in table.values()]


def test_axes():
    axes = list(dict.fromkeys(axis for geometry in random_geometries(3000) for axis in geometry.axes))
    assert len(axes) > 1500
    asked = []
    for axis in axes:
        each = [[name, getattr(axis, size)] for name, (size, _) in OF_INDEX.items()]
        of_each = [[of(axis, i) for i in range(getattr(axis, size))] for size, of in OF_INDEX.values()]
        fields = [[name] for name in (*OF_AXIS, "tapsPerPhase")]
        wanted = [*said_of(axis, OF_AXIS), axis.taps_per_phase, *of_each]
        each_phase = [
            {"residue": phase.residue, "count": phase.count, "taps": cells(phase.taps), "shifts": cells(phase.shifts)}
            for phase in axis_phases(axis)
        ]
        asked += [
            (["axis", record(axis), [*fields, *each]], wanted),
            (["axisPhases", record(axis)], each_phase),
            (["explain", record(axis), list(EXPLAINED)], said_of(axis, EXPLAINED)),
        ]
    check(asked)


def test_large_axes():
    asked = []
    for axis in large_axes(300):
        o, residue = axis.fine // 3, axis.stride // 2
        call = [*([name] for name in OF_AXIS), ["receptiveField", [o]], ["tapsOfPhase", [residue]]]
        wanted = [*said_of(axis, OF_AXIS), cells(axis.receptive_field(o)), cells(axis.taps_of_phase(residue))]
        asked.append((["axis", record(axis), call], wanted))
        asked.append((["explain", record(axis), list(EXPLAINED)], said_of(axis, EXPLAINED)))
    check(asked)


def test_geometries():
    draw = random.Random(3)
    asked: list[tuple[list[Any], Any]] = []
    for geometry in random_geometries(3000):
        groups = draw.choice((1, 1, 2, 5))
        channels = (groups * draw.randrange(1, 9), groups * draw.randrange(1, 9), groups)
        work = geometry.work(channels[0], channels[1], groups=groups)
        matrix = explain.matrix(geometry, *channels)
        listed = prod(geometry.fine) <= LISTED
        call = [*([name] for name in OF_GEOMETRY), ["work", channels], *([["coverage"]] if listed else [])]
        wanted = [*said_of(geometry, OF_GEOMETRY), asdict(work) | {"flops": work.flops, "wasted": work.wasted}]
        asked += [
            (["geometry", record(geometry), call], wanted + ([geometry.coverage().ravel().tolist()] if listed else [])),
            (["matrix", record(geometry), channels], asdict(matrix) | {"fill": matrix.fill}),
            (["phaseCount", record(geometry)], explain.phase_count(geometry)),
        ]
        if listed:
            asked.append((["phases", record(geometry)], list(map(str, phases(geometry)))))
    check(asked)


# -- options -----------------------------------------------------------------------------------------------------------

NAMES = ("coarse", "fine", "kernel", "stride", "padding", "output-padding", "output-size", "dilation")
#: What people type, and what they should not; some of it is odd in one option and right in another.
GOOD = ["1", "2", "3", "4", "5", "7", "3x3", "4x3", "2,3", "8×8", "2x3x1", " 6 ", "+2", "32x48", "007"]
GOOD += ["3*3", "(3, 3)", " ( 2,) ", "[4, 3]", "4 x 3"]
BAD = [
    *("0", "-1", "-2x3", "3x3x3x3", "", " ", "x", "3x", "two", "1.5", "1e3", "2:3", "1:2x0:1", "same", "½", "٣"),
    *("'3'", "it's", "a\nb", "a\tb\\", '"', "'\"", "\u200b3", "\x00", "\ud7ff", "\xad", "3\xa0", "\u2028"),
    *("0.5", "1/2", "1/3x2", ".75", "(1, 2", "()", "((1, 2))", "[3, 3),", "(0.5, 2)", "1/0", "0.9999", "1/31"),
    *("1234567", "12345678x3", "99999999", "1" * 14, "4" * 17, "9" * 98, "9" * 120, "é" * 61, "\U0001f600" * 40),
]
PADDINGS = [
    *(
        "0",
        "1",
        "2",
        "-1",
        "1:2",
        "0:1",
        "1x0",
        "1:2x0:1",
        "-1:3",
        "2x1:0",
        "((1, 2), (0, 1))",
        "(1, 2)",
        "((1, 2),)",
        "(1, 2), [0,1]",
        "same",
        "valid",
        " SAME ",
        "1x1x1",
    ),
    *("9", "2x2", "1:2:3", ":", "1:", "sam", "", "40:-40", "-5x5", "30", "5:4"),
]
FEW = ["0", "0", "1", "1", "2", "3", "0x1", "1x0", "-1", "9"]
SIGNS = "0123456789x,×*:+- es\n'\"()[]./"


def random_options(draw: random.Random, wrong: float) -> dict[str, str]:
    """Options of a geometry, each of them odd as often as said."""

    def text(good: list[str]) -> str:
        if draw.random() >= wrong:
            return draw.choice(good)
        return draw.choice([draw.choice(BAD), "".join(draw.choices(SIGNS, k=draw.randrange(7)))])

    sides = draw.choice((("coarse",), ("coarse",), ("fine",), ("fine",), ("coarse", "fine"), ()))
    given = {"kernel": text(GOOD)}
    given |= {side: text(GOOD) for side in (sides if draw.random() < 0.2 else sides[:1] or ("coarse",))}
    for name, usual, share in (
        ("stride", GOOD[:8], 0.7),
        ("padding", PADDINGS, 0.7),
        ("output-padding", FEW, 0.3),
        ("output-size", [*GOOD, "64", "9x9"], 0.15),
        ("dilation", GOOD[:4], 0.3),
    ):
        if draw.random() < share:
            given[name] = text(usual)
    return given


def cropped_options(draw: random.Random) -> dict[str, str]:
    """Options whose padding is that of the picture with zeros inserted, or otherwise leaves nothing."""
    ndim = draw.randrange(1, 4)

    def each(least: int, most: int) -> str:
        return "x".join(str(draw.randrange(least, most)) for _ in range(draw.choice((1, ndim))))

    ends = draw.choice((each(2, 6), each(1, 4), "3:4", "3x3:2", "same"))
    return {"coarse": each(1, 4), "kernel": each(2, 6), "padding": ends, "dilation": each(1, 3)}


def by_the_command(given: dict[str, str]) -> Geometry:
    """The geometry of these options, as every command reads it."""
    named = {"stride": "1", "padding": "0", "dilation": "1", **given}
    return options.geometry(*(named.get(name) for name in NAMES))  # type: ignore[arg-type]


def as_json(geometry: Geometry) -> dict[str, Any]:
    """All that is kept of a geometry."""
    names = ("fine", "coarse", "kernel", *geometry.keywords)
    return plain({"axes": list(map(asdict, geometry.axes)), **{name: getattr(geometry, name) for name in names}})


def numbers(given: dict[str, str]) -> list[int]:
    """All that are written, the largest first."""
    texts = re.findall(r"[0-9]+", " ".join(given.values()))
    return sorted((int(text) for text in texts if len(text) < 100), reverse=True)


def may_be_refused(given: dict[str, str], geometry: Geometry | None) -> bool:
    """Whether these numbers lead beyond what doubles hold."""
    first, second, *_ = *numbers(given), 1, 1
    if first >= EXACT or first * second >= EXACT // 100:
        return True
    work = (geometry or Geometry([Axis(1, 1)])).work()
    return 2 * work.zero_insertion_multiplications + work.bytes >= EXACT


def test_options():
    draw = random.Random(5)
    asked = [random_options(draw, wrong) for wrong in (0, 0, 0.1, 0.4) for _ in range(500)]
    asked += [cropped_options(draw) for _ in range(300)]
    seen = {"geometry": 0, "refused": 0, "too large": 0, "hint": 0}
    for given, got in zip(asked, ask(["geometryOf", given] for given in asked), strict=True):
        try:
            geometry, wanted = by_the_command(given), None
        except errors.UsageError as refusal:
            geometry, wanted = None, str(refusal)
        if "error" in got and got["error"].startswith(TOO_LARGE):
            assert may_be_refused(given, geometry), given
            seen["too large"] += 1
        elif geometry is None:
            assert got == {"error": wanted}, given
            seen["refused"] += 1
            seen["hint"] += "picture with zeros inserted" in str(wanted)
        else:
            assert got == as_json(geometry), given
            assert prod(geometry.fine) * prod(geometry.kernel) < EXACT
            seen["geometry"] += 1
    assert seen["geometry"] > 500 < seen["refused"]
    assert seen["too large"] > 10 < seen["hint"]


def test_options_are_refused_in_the_words_of_the_command(capsys):
    asked = [
        {"kernel": "3"},
        {"coarse": "3"},
        {"coarse": "3", "kernel": "0x2"},
        {"coarse": "3", "fine": "", "kernel": "2"},
        {"coarse": "3x3", "kernel": "2", "padding": "1:2x3:-9", "output-padding": "7"},
        {"coarse": "2", "kernel": "3", "stride": "2", "padding": "5", "output-size": "3"},
        {"coarse": "5x5", "kernel": "9x8", "padding": "6x7"},
        {"fine": "2", "kernel": "9"},
    ]
    for given, got in zip(asked, ask(["geometryOf", given] for given in asked), strict=True):
        assert main(["explain", *(part for name, text in given.items() for part in (f"--{name}", text))]) == 2
        assert capsys.readouterr().err == f"tconv explain: {got['error']}\nTry 'tconv explain --help'.\n"


def test_a_geometry_as_options():
    geometries = random_geometries(1500)
    calls = [["optionsOf", record(geometry), side] for geometry in geometries for side in ("coarse", "fine")]
    for call, given in zip(calls, ask(calls), strict=True):
        geometry = Geometry([Axis(**{**axis, "padding": tuple(axis["padding"])}) for axis in call[1]["axes"]])
        assert by_the_command(given) == geometry, call
        for name in given.keys() - {"kernel", call[2]}:  # nothing that says nothing
            assert reread({key: text for key, text in given.items() if key != name}) != geometry, (call, name)


def reread(given: dict[str, str]) -> Geometry | None:
    try:
        return by_the_command(given)
    except errors.UsageError:
        return None


# -- solve -------------------------------------------------------------------------------------------------------------


def random_questions(draw: random.Random) -> dict[str, str]:
    """What is asked of `tconv solve`."""
    ndim = draw.choice((1, 1, 1, 2, 2, 3))

    def size(most: int, least: int = 1) -> str:
        each = [draw.randrange(least, most + 1) for _ in range(draw.choice((1, ndim)))]
        return "x".join(map(str, each))

    coarse = [draw.choice((1, 2, 3, 5, 8, 32)) for _ in range(ndim)]
    scale = [draw.choice((1, 2, 2, 3, 4)) for _ in range(ndim)]
    fine = [n * s + draw.choice((0, 0, 0, 1, -1)) or 1 for n, s in zip(coarse, scale, strict=True)]
    how = draw.choice(("sizes", "sizes", "sizes", "scale", "both", "one"))
    given = {}
    if how != "scale":
        given["coarse"] = "x".join(map(str, coarse))
    if how == "sizes":
        given["fine"] = "x".join(map(str, fine))
    elif how != "one" or draw.random() < 0.5:
        given["scale"] = "x".join(draw.choice((str(s), str(s), str(s), f"{s}.0", f"{s}.5", f"{s}/3")) for s in scale)
    for name, share, text in (
        ("kernel", 0.35, size(6)),
        ("stride", 0.25, size(4)),
        ("padding", 0.35, draw.choice((size(3, 0), "1:2", "-1", "0:1"))),
        ("output-padding", 0.25, size(3, 0)),
        ("dilation", 0.2, size(3)),
        ("max-kernel", 0.15, str(draw.randrange(1, 7))),
        ("limit", 0.8, str(draw.randrange(1, 12))),
    ):
        if draw.random() < share:
            given[name] = draw.choice(BAD) if draw.random() < 0.03 and name != "limit" else text
    return given


@pytest.fixture
def by_solve(monkeypatch):
    """What `tconv solve` finds with such options, or the text of its refusal."""
    found: list[Solutions] = []

    def kept(*arguments: Any, **keywords: Any) -> Solutions:
        found.append(solved(*arguments, **keywords))
        return found[-1]

    def call(given: dict[str, str]) -> Solutions | str:
        try:
            command.solve(**{name.replace("-", "_"): text for name, text in given.items()})
        except errors.UsageError as refusal:
            return str(refusal)
        except errors.Failure:  # nothing is found, and the reason printed
            pass
        return found[-1]

    monkeypatch.setattr(command, "solved", kept)
    monkeypatch.setattr(command, "_print", lambda solutions: None)
    return call


def test_solve(by_solve):
    draw = random.Random(6)
    asked = [random_questions(draw) for _ in range(400)]
    seen = {"found": 0, "cut": 0, "nothing": 0, "refused": 0}
    for given, got in zip(asked, ask(["solutionsOf", given] for given in asked), strict=True):
        wanted = by_solve(given)
        if got.get("error", "").startswith(TOO_LARGE):
            assert numbers(given)[0] ** 3 > EXACT // 100, given
            continue
        if isinstance(wanted, str):
            assert got == {"error": wanted}, given
            seen["refused"] += 1
            continue
        found = list(wanted)
        assert got == {
            "question": wanted.question,
            "found": [{"geometry": as_json(one.geometry), "coverage": one.coverage} for one in found],
            "are_all": wanted.are_all,
            "reason": wanted.reason,
        }, given
        seen["found" if wanted else "nothing"] += 1
        seen["cut"] += not wanted.are_all
    assert min(seen.values()) > 10, seen
