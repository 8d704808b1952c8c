"""The smallest kernels there are, and how far their result is off; as a program, that and how they came about, as JSON.

Small because the tests of the cache compile it again and again.
"""

from __future__ import annotations

import json
import sys
import warnings
from unittest.mock import patch

import numpy as np

import tconv
from tconv.jit.kernels import linking
from tconv.jit.machine import cache, isa
from tconv.jit.machine import compile as compiler
from tconv.jit.machine.native import compiled
from tconv.jit.schedules import layouts
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.registry import program_of
from tconv.methods.base import Problem

TARGET = isa.ISAS["baseline"] if "baseline" in isa.available() else isa.current()
SHAPE = {"stride": 2, "padding": 1}
PROBLEM = Problem("conv_transpose", tconv.Geometry.conv_transpose((8, 8), (3, 3), **SHAPE), 1, 4, 4, 1, "float32")
with patch.object(compiled, "_code", lambda loop: None):  # loops as Python: nothing but kernels is compiled
    PROGRAM = program_of(pixels.make(PROBLEM, layouts.layout_of(PROBLEM, False), TARGET), 1)


def fresh():
    """The machine code as a new process gets it: read from disk and loaded, or compiled."""
    forget()
    return linking.linked(PROGRAM.code, TARGET)


def forget():
    """Have this process look for machine code on disk, as if it had none yet."""
    for kept in (linking.linked, linking._loaded, linking._object):
        kept.cache_clear()


def kept():
    """What is found on disk of it, by kernel; None where there is nothing."""
    return {
        part: cache.read(compiler._key(f"{linking._sources()} {part!r}", TARGET), compiler._compiler())
        for part in PROGRAM.code.parts
    }


def error(machine) -> float:
    """The largest difference from another method, on random arrays."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape, np.float32) for shape in ((1, 4, 8, 8), (4, 4, 3, 3)))
    expected = tconv.conv_transpose(x, w, **SHAPE, method="phases")
    packed, scratch = _aligned(PROGRAM.packed), _aligned(PROGRAM.scratch)
    first, count = PROGRAM.blocks
    program, y = PROGRAM.address, np.full(expected.shape, np.nan, np.float32)
    machine.pack(0, program, program + 8 * first, count, w.ctypes.data, 0, packed.ctypes.data, 1, 0)
    machine.run(0, program, x.ctypes.data, packed.ctypes.data, y.ctypes.data, scratch.ctypes.data, 1, 0)
    return float(np.abs(y - expected).max())


def _aligned(size: int) -> np.ndarray:
    raw = np.zeros(size + 64, np.uint8)
    return raw[-raw.ctypes.data % 64 :][:size]


def main() -> None:
    """Run once, as a program of its own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = None not in kept().values()
        machine = fresh()
    llvm = any(name == "llvmlite" or name.startswith("llvmlite.") for name in sys.modules)
    told = [str(warning.message) for warning in caught]
    print(json.dumps({"error": error(machine), "kept": found, "llvm": llvm, "told": told}))


if __name__ == "__main__":
    main()
