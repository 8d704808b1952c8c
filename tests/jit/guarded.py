"""Kernels on memory with inaccessible pages on both sides; a program of its own, because a step outside ends it.

    python guarded.py ISA PART PARTS        every way through the schedules and random problems: one of so many parts
    python guarded.py ISA 0 trip NAME       one problem, with one array an element further than it should be

Every problem meets both ends of the memory. Prints the problem at hand before it runs, and at the end what was done, as
JSON.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import mmap
import os
import sys
from collections import Counter
from math import prod
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
from case import on_the_fly
from problems import problem as drawn
from running import Truth, arrays, in_layout, is_gradient, out_of_layout, problem_of, written
from running import given as words_of_weights
from schedule_cases import CASES
from ways import ends_of_ways

import tconv
from tconv.finishing import Epilogue
from tconv.jit import engine
from tconv.jit.choice import model
from tconv.jit.kernels import linking
from tconv.jit.machine import isa, launch, pages
from tconv.jit.schedules import layouts
from tconv.jit.schedules.registry import program_of
from tconv.problem import Problem

#: Random problems of a part.
RANDOM = 6
PAGE = pages.PAGE
_NOTHING = SimpleNamespace(value=(0x0, 0x01))  # PROT_NONE; PAGE_NOACCESS


def guarded(size: int, end: str) -> np.ndarray:
    """So many bytes that begin behind an inaccessible page, or end before one; all of them 0xFF, in floats a NaN."""
    between = max(1, -(-size // PAGE))
    memory = mmap.mmap(-1, (between + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, between + 1):
        pages.protect(address + page * PAGE, PAGE, _NOTHING)
    start = PAGE if end == "low" else (between + 1) * PAGE - size
    whole = np.frombuffer(memory, np.uint8, size, start)
    whole[...] = 0xFF
    return whole


def placed(a: np.ndarray, end: str) -> np.ndarray:
    """A copy of an array there."""
    copy = guarded(a.nbytes, end).view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def aligned(size: int) -> np.ndarray:
    """What stands in for `engine.aligned`: its end is against an inaccessible page, its start on a cache line."""
    return guarded(-(-size // 64) * 64, "high")[:size]


class Drawn:
    """A problem, its arrays, and the right result."""

    def __init__(self, problem: Problem, channels_last: bool) -> None:
        self.problem, self.last = problem, channels_last
        x, self.w, self.bias = arrays(problem)
        self.truth = Truth(problem, x, self.w, self.bias)
        self.x = in_layout(x, channels_last)
        self.w = in_layout(self.w, channels_last) if is_gradient(problem) else self.w

    def place(self, end: str) -> dict[str, np.ndarray]:
        """Every array at an end of memory of its own."""
        shape = written(self.problem, self.last)
        out = guarded(prod(shape) * self.problem.itemsize, end).view(self.problem.dtype).reshape(shape)
        bias = {} if self.bias is None else {"bias": placed(self.bias, end)}
        return {"x": placed(self.x, end), "w": placed(self.w, end), **bias, "out": out}

    def check(self, y: np.ndarray) -> None:
        """The result is right."""
        self.truth.check(out_of_layout(self.problem, y, self.last))

    def run(self, schedule: Any, target: isa.Isa, end: str, threads: int) -> None:
        """By one schedule, whose tables lie against a page too."""
        program, given = program_of(schedule, threads), self.place(end)
        machine, words = linking.linked(program.code, target), placed(program.words, "high")
        packed, scratch = aligned(program.packed), aligned(program.scratch * threads)
        (first, count), address = program.blocks, words.ctypes.data
        if is_gradient(self.problem):
            packed = given["w"]
        elif program.on_the_fly:
            packed = placed(words_of_weights(given["w"], given["bias"]), end)
        else:
            weights = (given["w"].ctypes.data, given["bias"].ctypes.data)
            assert not machine.pack(0, address, address + 8 * first, count, *weights, packed.ctypes.data, 1, 0)
        addresses = (a.ctypes.data for a in (given["x"], packed, given["out"], scratch))
        launch.run(machine, address, *addresses, threads)
        self.check(given["out"])

    def finish(self, schedule: Any, target: isa.Isa, end: str, threads: int) -> None:
        """Likewise with an epilogue, whose arrays lie against pages as well."""
        channels = written(self.problem, False)[1]
        slopes = placed(np.linspace(0.25, 2, channels).astype(self.problem.dtype), end)
        program, given = program_of(schedule, threads, Epilogue("prelu", True, True)), self.place(end)
        residual = placed(np.sin(np.arange(given["out"].size)).astype(self.problem.dtype), end)
        machine, words = linking.linked(program.code, target), placed(program.words, "high")
        packed, scratch = aligned(program.packed), aligned(program.scratch * threads)
        (first, count), address, weights = program.blocks, words.ctypes.data, [given["w"], given["bias"]]
        if not program.on_the_fly:
            arrays = (*(a.ctypes.data for a in weights), packed.ctypes.data)
            assert not machine.pack(0, address, address + 8 * first, count, *arrays, 1, 0)
            weights = [packed, packed]
        out = given["out"].ctypes.data
        others = 0, residual.ctypes.data - out, slopes.ctypes.data, out, channels
        finishing = placed(np.array([*(a.ctypes.data for a in weights), *others], np.int64), end)
        addresses = (a.ctypes.data for a in (given["x"], finishing, given["out"], scratch))
        launch.run(machine, address, *addresses, threads)
        added = self.truth.exact + out_of_layout(self.problem, residual.reshape(given["out"].shape), self.last)
        wanted = np.where(added < 0, added * slopes.reshape(-1, *[1] * self.problem.geometry.ndim), added)
        found = out_of_layout(self.problem, given["out"], self.last)
        assert (np.abs(found - wanted) <= 2 * self.truth.bound + 1e-5).all()

    def call(self, end: str, trip: str = "") -> None:
        """By the public function; `trip` names an array to be moved by one element, out of its place."""
        engine._local.packed, engine._local.scratch = engine._Workspace(), engine._Workspace()  # with nothing to spare
        given = self.place(end)
        if trip:
            moved = given[trip]
            memory = (ctypes.c_char * moved.nbytes).from_address(moved.ctypes.data + moved.itemsize)
            given[trip] = np.frombuffer(memory, moved.dtype).reshape(moved.shape)
        layout = "channels_last" if self.last else "channels_first"
        keywords = {**self.problem.geometry.keywords, "groups": self.problem.groups, "layout": layout}
        if self.problem.operation == "conv":
            given["y"] = given.pop("x")
        if is_gradient(self.problem):
            given = {"x": given["w"], "y": given["x"], "out": given["out"]}
            keywords["kernel_size"] = self.problem.geometry.kernel
        self.check(getattr(tconv, self.problem.operation)(**given, **keywords, method="jit"))


def every(name: str, part: int, parts: int) -> None:
    """Every way through the schedules, whose kernels other tests compile too; random problems by all of their kinds."""
    done = Counter[str]()
    for case, schedule in [end for ends in ends_of_ways(name, "float32").values() for end in ends][part::parts]:
        check(CASES[case].problem("float32"), schedule.layout.channels_last, [schedule], name, done)
    pick = Random(f"{name} {part}").choice
    for number in range(RANDOM):
        problem, channels_last = drawn(pick), number % 2 == 1
        layout = layouts.spread_out(problem, channels_last)
        schedules = [kind.make() for kind in model.offers(problem, layout, isa.ISAS[name])]
        schedules += [each for schedule in schedules for each in on_the_fly(schedule)]
        check(problem, channels_last, schedules, name, done)
    print(json.dumps(done))


def check(problem: Problem, channels_last: bool, schedules: list[Any], name: str, done: Counter[str]) -> None:
    """Run schedules of a problem, and the one that is chosen."""
    print(f"{problem}, channels_last={channels_last}", flush=True)
    one, threads = Drawn(problem, channels_last), 1 + sum(done.values()) % 3
    done.update(f"{problem.operation}, {schedule.kind}" for schedule in schedules)
    for end in ("low", "high"):
        for schedule in schedules:
            one.run(schedule, isa.ISAS[name], end, threads)
            if not is_gradient(problem) and end == ("low", "high")[sum(done.values()) % 2]:
                one.finish(schedule, isa.ISAS[name], end, threads)
        one.call(end)


def main(name: str, part: str, parts: str, trip: str = "") -> None:
    """What the arguments of the program say."""
    faulthandler.enable()
    os.environ["TCONV_ISA"] = name
    engine.aligned = aligned
    tconv.set_num_threads(3)
    if parts == "trip":
        geometry = tconv.Geometry.conv_transpose((5, 64), 4, stride=2, padding=1)
        Drawn(problem_of(geometry, cin=16, cout=16), False).call("high", trip)
    else:
        every(name, int(part), int(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
