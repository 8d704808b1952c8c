"""Digests of what is generated for every case of `schedule_cases.py`: of the IR of its kernels, and of its programs.

    long rows, cut, first  avx512=0d3f3c9a1b22:92ab0f7766c1 avx2=...

The cases take turns with the sets of instructions of which programs are written too.

    pytest tests/jit/test_golden.py --update-golden

writes `golden.txt` anew. A change that is to leave generated code as it is leaves that file as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from filtered_cases import CASES as FILTERED
from filtered_cases import EVERY_CASE as EVERY_FILTERED
from schedule_cases import CASES, EVERY_CASE

from tconv.jit.kernels import Part, linking
from tconv.jit.machine import isa
from tconv.jit.machine.ir import Module
from tconv.jit.machine.native.translate import emit
from tconv.jit.schedules.channels.loops.chunks import chunks_of_channels
from tconv.jit.schedules.gradient.loops.chunks import chunks_of_gradient
from tconv.jit.schedules.pixels.loops.chunks import chunks_of_pixels
from tconv.jit.schedules.registry import program_of
from tconv.jit.schedules.taps.loops.chunks import chunks_of_taps
from tconv.jit.schedules.winograd.loops.chunks import chunks_of_winograd

PATH = Path(__file__).with_name("golden.txt")
#: Threads that share the programs of a dtype.
THREADS = {"float32": 1, "float64": 2}
#: The loops that write tables, each with all that it calls.
LOOPS = (chunks_of_channels, chunks_of_pixels, chunks_of_taps, chunks_of_gradient, chunks_of_winograd)


def read() -> dict[str, dict[str, str]]:
    """What is written down: by line and set of instructions a digest."""
    lines = (line.rpartition("  ") for line in PATH.read_text("utf-8").splitlines())
    return {name.rstrip(): dict(cell.split("=") for cell in cells.split()) for name, _, cells in lines}


def write(found: dict[str, dict[str, str]]) -> None:
    """Put it down."""
    lines = (f"{name}  {' '.join(f'{n}={d}' for n, d in cells.items())}\n" for name, cells in found.items())
    PATH.write_text("".join(lines), "utf-8")


def generated(target: isa.Isa) -> Iterator[tuple[str, str]]:
    """For a set of instructions the name of each line and its digest."""
    for loop in LOOPS:
        module = Module(target)
        emit(loop, module)
        yield f"the loop {loop.name}", _digest([str(module)])
    for number, (case, last) in enumerate([*EVERY_CASE, *EVERY_FILTERED]):
        digests = [_of_kernels(case, last, target)]
        if number * 3 // 2 % len(isa.ISAS) == list(isa.ISAS).index(target.name):
            digests.append(_of_programs(case, last, target))
        yield f"{case}, {'last' if last else 'first'}", ":".join(digests)


def _schedules(case: str, dtype: str, last: bool, target: isa.Isa) -> Iterator[Any]:
    if case in FILTERED:
        yield FILTERED[case].schedule(dtype, last, target)
    else:
        yield from CASES[case].schedules(dtype, last, target)


def _of_kernels(case: str, last: bool, target: isa.Isa) -> str:
    codes = (s.code for dtype in THREADS for s in _schedules(case, dtype, last, target))
    parts = dict.fromkeys(part for code in codes for part in code.parts)
    return _digest(_ir(part, target) for part in parts)


@cache
def _ir(part: Part, target: isa.Isa) -> str:
    return hashlib.sha256(linking.ir(part, target).encode()).hexdigest()


def _of_programs(case: str, last: bool, target: isa.Isa) -> str:
    return _digest(
        f"{program.words.tobytes().hex()} {program.blocks} {program.packed} {program.scratch}"
        for dtype, threads in THREADS.items()
        for program in (program_of(s, threads) for s in _schedules(case, dtype, last, target))
    )


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()[:12]
