"""From the kernels of a schedule to entry points in this process.

What is compiled is an object for each kernel, and one for the macro-kernel that calls them through a table of their
addresses. No kernel is compiled, or loaded, for one schedule that another one has had.
"""

from __future__ import annotations

import sys
from functools import cache, lru_cache

from tconv.forks import uninterrupted
from tconv.jit.kernels import Code, Kernel, Part, exports, module_of
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import debug
from tconv.jit.machine.entry_points import EntryPoints
from tconv.jit.machine.isa import Isa
from tconv.jit.machine.sources import HERE, digest


def ir(part: Part, isa: Isa) -> str:
    """The LLVM IR of a kernel, or of the macro-kernel."""
    return str(module_of(part, isa))


def assembly(part: Part, isa: Isa) -> str:
    """The machine code of a kernel, or of the macro-kernel, as text, for any of the processors in `isa.ISAS`."""
    return compiler.assembly(ir(part, isa), isa)


@cache  # what is loaded stays in memory, so forgetting it would only load it twice
def linked(code: Code, isa: Isa) -> EntryPoints:
    """The entry points of kernels: a macro-kernel that has their addresses, and what packs their weights."""
    with uninterrupted:
        kernels = [_loaded(kernel, isa)["kernel"] for kernel in code.kernels]
        run = compiler.load(_object(code.macro_kernel, isa), isa, exports(code.macro_kernel), kernels)["run"]
        return EntryPoints.at(run, _loaded(code.packing, isa)["pack"])


@cache  # it stays in memory too
def _loaded(kernel: Kernel, isa: Isa) -> dict[str, int]:
    """Where the functions lie that a kernel exports."""
    return compiler.load(_object(kernel, isa), isa, exports(kernel))


@cache  # the macro-kernel's is loaded anew with every table
def _object(part: Part, isa: Isa) -> bytes:
    """The object file of a kernel or of the macro-kernel."""
    for word, text, comment in (("ir", ir, ";"), ("asm", assembly, "#")):
        if debug.wants(word):
            print(f"{comment} {part}\n{text(part, isa)}", file=sys.stderr)
    return compiler.object_file(f"{_sources()} {part!r}", lambda: ir(part, isa), isa)


@lru_cache(maxsize=1)
def _sources() -> str:
    """A digest of what turns a description of a kernel into IR."""
    return digest("", sorted(HERE.glob("kernels/*.py")))
