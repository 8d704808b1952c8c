"""What processors offer, as data: vectors, registers, instructions. One generator serves all of them.

`available` says which of these the machine has; `TCONV_ISA` forces another.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from functools import lru_cache

from tconv import checks
from tconv.jit.machine.systems import TRIPLES, host

#: The system of this process; where there are no kernels, code can still be generated and looked at.
_SYSTEM = here.system if (here := host()) else "linux"


@dataclass(frozen=True, slots=True)
class Isa:
    """One set of instructions."""

    name: str
    architecture: str  #: x86_64 or aarch64
    features: str  #: what LLVM may use beyond the base of the architecture
    needs: tuple[str, ...]  #: features by LLVM's names that the processor must have
    vector_bytes: int
    registers: int  #: vector registers
    fma: bool  #: has a fused multiply-add
    masks: bool  #: loads and stores under a mask cost about what others cost
    broadcast: bool  #: a scalar in memory can be an operand of every lane, without a register
    mask_registers: int  #: registers that masks have for themselves; elsewhere each takes one from the vectors
    by_lane: bool = False  #: operands are in registers only, and a lane of a vector can be one for every lane
    arranged_for: str = ""  #: the processor, by LLVM's name, for which it puts instructions in order; "" for any
    system: str = _SYSTEM  #: linux, windows or macos: how functions are called, and how threads wait

    @property
    def triple(self) -> str:
        """What LLVM is told of the system and the processor."""
        return TRIPLES[self.system, self.architecture]

    def on(self, system: str) -> Isa:
        """The same instructions on another system."""
        return replace(self, system=system)

    def lanes(self, itemsize: int) -> int:
        """Elements of a vector."""
        return self.vector_bytes // itemsize


_AVX2 = ("avx2", "fma")
_AVX512 = (*_AVX2, "avx512f", "avx512bw", "avx512dq", "avx512vl")


def _listed(features: tuple[str, ...]) -> str:
    return ",".join(f"+{feature}" for feature in features)


#: The best first.
ISAS: dict[str, Isa] = {
    isa.name: isa
    for isa in (
        Isa("avx512", "x86_64", _listed(_AVX512) + ",-prefer-256-bit", _AVX512, 64, 32, True, True, True, 8),
        Isa("avx2", "x86_64", _listed(_AVX2), _AVX2, 32, 16, True, True, False, 0),
        Isa("baseline", "x86_64", "", (), 16, 16, False, False, False, 0),
        # Register x18 belongs to the system on macOS and Windows. Arranged for any processor, which may be one without
        # reordering, what is loaded comes so early that sums have to leave their registers for it.
        Isa("neon", "aarch64", "+neon,+reserve-x18", ("neon",), 16, 32, True, False, False, 0, True, "neoverse-v2"),
    )
}


#: The features that are needed of a processor, by LLVM's names, and what NumPy calls them (2.0 to 2.4): each by itself,
#: and the groups that it turns on and off as one.
_BY_NUMPY = {
    "avx2": ("AVX2", "X86_V3"),
    "fma": ("FMA3", "X86_V3"),
    **{f"avx512{part}": (f"AVX512{part.upper()}", "AVX512_SKX", "X86_V4") for part in ("f", "bw", "dq", "vl")},
    "neon": ("ASIMD",),
}


@lru_cache(maxsize=1)
def processor_features() -> frozenset[str]:
    """Which of the features that are needed this processor has, by LLVM's names.

    NumPy asks the processor itself, and whether the system saves its registers, when it is imported, and heeds
    `NPY_DISABLE_CPU_FEATURES`. What the system says of the processor, in /proc/cpuinfo, is that of another one in some
    emulators and containers. LLVM asks the processor too, but takes long to load: only where NumPy lacks a word.
    """
    known = _numpy_features()
    said = {name: [known[each] for each in theirs if each in known] for name, theirs in _BY_NUMPY.items()}
    return frozenset(name for name, has in said.items() if all(has)) if all(said.values()) else _features_by_llvm()


def _numpy_features() -> dict[str, bool]:
    """What NumPy has found; nothing where a release keeps it elsewhere."""
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as found  # type: ignore[import-not-found]
    except ImportError:
        return {}
    return dict(found)


def _features_by_llvm() -> frozenset[str]:
    try:
        from llvmlite import binding
    except ImportError:
        return frozenset()
    return frozenset(name for name, has in binding.get_host_cpu_features().items() if has)


def available() -> tuple[str, ...]:
    """The names of what this machine can run, the best first."""
    here, features = host(), processor_features()
    return tuple(
        isa.name
        for isa in ISAS.values()
        if here and isa.architecture == here.architecture and features.issuperset(isa.needs)
    )


def current() -> Isa:
    """What kernels are generated for: the best this machine has, or what `TCONV_ISA` says."""
    forced = os.environ.get("TCONV_ISA", "")
    return _pick(forced)


@lru_cache(maxsize=8)
def _pick(forced: str) -> Isa:
    can = available()
    if not can:
        checks.wrong(f"no kernels are generated for this processor ({platform.machine()})")
    if forced and forced not in can:
        checks.wrong(f"TCONV_ISA must be one of {', '.join(can)} on this machine, or unset; got {forced!r}")
    return ISAS[forced or can[0]]


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
