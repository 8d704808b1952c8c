"""Kernels on memory with inaccessible pages on both sides; a program of its own, because a step outside ends it.

    python guarded.py ISA SEED COUNT        random problems, every kind of schedule, both ends of the memory
    python guarded.py ISA SEED trip NAME    one problem, with one array an element further than it should be

Prints the problem at hand before it runs, and at the end what was done, as JSON.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import mmap
import os
import sys
from collections import Counter
from typing import Any

import numpy as np
from running import arrays, check, problem_of
from schedules import kind_of

import tconv
from tconv.jit import choose, engine, isa, launch, lines
from tconv.jit import compile as compiler
from tconv.problem import Problem

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_NOTHING = 0  # PROT_NONE


def guarded(size: int, end: str) -> np.ndarray:
    """So many bytes that begin behind an inaccessible page, or end before one; all of them 0xFF, in floats a NaN."""
    pages = max(1, -(-size // PAGE))
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        if _libc.mprotect(address + page * PAGE, PAGE, _NOTHING):
            raise OSError(ctypes.get_errno(), "mprotect")
    start = PAGE if end == "low" else (pages + 1) * PAGE - size
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


def drawn(rng: np.random.Generator) -> Problem:
    """A small problem; few windows, so that kernels are met again."""
    while True:
        ndim = int(rng.choice([1, 2, 3], p=[0.3, 0.5, 0.2]))
        window = [_window(rng) for _ in range(ndim)]
        kernel, stride, padding, output_padding, dilation = zip(*window, strict=True)
        coarse = [int(rng.integers(1, (40, 12, 6)[ndim - 1])) for _ in range(ndim)]
        sizes = {"padding": padding, "output_padding": output_padding, "dilation": dilation, "stride": stride}
        if any(
            (c - 1) * s - sum(p) + d * (k - 1) + 1 + a < 1
            for c, k, s, p, a, d in zip(coarse, kernel, stride, padding, output_padding, dilation, strict=True)
        ):
            continue
        groups = int(rng.choice([1, 1, 2, 3]))
        cin, cout = (groups * int(rng.choice([1, 2, 3, 5, 16, 33], p=p)) for p in (_FEW, _MANY))
        if rng.random() < 0.2:
            groups = cin
            cout = cin * int(rng.choice([1, 2]))
        batch, dtype = int(rng.choice([1, 2, 5])), str(rng.choice(["float32", "float64"], p=[0.8, 0.2]))
        geometry = tconv.Geometry.conv_transpose(coarse, kernel, **sizes)
        return problem_of(geometry, dtype, batch=batch, cin=cin, cout=cout, groups=groups)


_FEW, _MANY = (0.25, 0.25, 0.2, 0.2, 0.05, 0.05), (0.15, 0.15, 0.2, 0.1, 0.25, 0.15)


def _window(rng: np.random.Generator) -> tuple[Any, ...]:
    stride = int(rng.choice([1, 2, 3, 8], p=[0.25, 0.5, 0.15, 0.1]))
    kernel = int(rng.choice([1, 2, 3, 4, 2 * stride]))
    dilation = int(rng.choice([1, 2], p=[0.85, 0.15]))
    padding = tuple(int(n) for n in rng.integers(-1, dilation * (kernel - 1) // 2 + 2, 2))
    return kernel, stride, padding, int(rng.integers(0, max(stride, dilation))), dilation


def run(problem: Problem, channels_last: bool, schedule: Any, target: isa.Isa, end: str, threads: int) -> None:
    """One schedule, every array and table against a page; the result is right."""
    x, w, bias = arrays(problem)
    program = schedule.program(threads)
    machine, words = compiler.machine(schedule.code, target), placed(program.words, "high")
    in_memory = placed(np.ascontiguousarray(np.moveaxis(x, 1, -1)) if channels_last else x, end)
    y = _result(problem, channels_last, end)
    packed, scratch = aligned(program.packed), aligned(program.scratch * threads)
    (first, count), address = program.blocks, words.ctypes.data
    w_there, bias_there = placed(w, end), placed(bias, end)
    there = (w_there.ctypes.data, bias_there.ctypes.data, packed.ctypes.data)
    assert not machine.pack(address, address + 8 * first, count, *there)
    launch.run(machine, address, in_memory.ctypes.data, packed.ctypes.data, y.ctypes.data, scratch.ctypes.data, threads)
    check(problem, np.moveaxis(y, -1, 1) if channels_last else y, x, w, bias)


def _result(problem: Problem, channels_last: bool, end: str) -> np.ndarray:
    fine, channels = problem.geometry.fine, problem.out_channels
    shape = (problem.batch, *fine, channels) if channels_last else (problem.batch, channels, *fine)
    empty = guarded(int(np.prod(shape)) * problem.itemsize, end)
    return empty.view(problem.dtype).reshape(shape)


def call(problem: Problem, channels_last: bool, end: str, trip: str = "") -> None:
    """The same through the public function; `trip` names an array to be moved by one element, out of its place."""
    engine._local.scratch_size, engine._local.packed = 0, np.empty(0, np.uint8)
    x, w, bias = arrays(problem)
    in_layout = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if channels_last else x
    given = {"x": placed(in_layout, end), "w": placed(w, end), "bias": placed(bias, end)}
    given["out"] = _result(problem, channels_last, end)
    if trip:
        moved = given[trip]
        further = moved.ctypes.data + moved.itemsize
        memory = (ctypes.c_char * moved.nbytes).from_address(further)
        given[trip] = np.frombuffer(memory, moved.dtype).reshape(moved.shape)
    layout = "channels_last" if channels_last else "channels_first"
    keywords = {**problem.geometry.keywords, "groups": problem.groups, "layout": layout, "method": "jit"}
    y = tconv.conv_transpose(given["x"], given["w"], given["bias"], out=given["out"], **keywords)
    check(problem, np.moveaxis(y, -1, 1) if channels_last else y, x, w, bias)


def every(target: isa.Isa, seed: int, count: int) -> None:
    """Random problems."""
    rng, done = np.random.default_rng(seed), Counter[str]()
    for number in range(count):
        problem, channels_last, threads = drawn(rng), number % 2 == 1, 1 + number % 3
        print(f"{number}: {problem}, channels_last={channels_last}", flush=True)
        layout = lines.spread_out(problem, channels_last)
        schedules = [kind.make() for kind in choose.kinds(problem, layout, target)]
        for schedule in schedules:
            done[kind_of(schedule)] += 1
            for end in ("low", "high"):
                run(problem, channels_last, schedule, target, end, threads)
        for end in ("low", "high"):
            call(problem, channels_last, end)
    print(json.dumps(done))


def main(name: str, seed: str, count: str, trip: str = "") -> None:
    """What the arguments of the program say."""
    faulthandler.enable()
    os.environ["TCONV_ISA"] = name
    engine.aligned = aligned
    tconv.set_num_threads(3)
    if count == "trip":
        geometry = tconv.Geometry.conv_transpose((5, 64), 4, stride=2, padding=1)
        call(problem_of(geometry, cin=16, cout=16), False, "high", trip)
    else:
        every(isa.ISAS[name], int(seed), int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
