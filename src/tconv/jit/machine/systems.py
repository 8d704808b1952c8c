"""The system and the processor that a process runs on, by names of our own, and what LLVM calls them."""

from __future__ import annotations

import platform
import sys
import sysconfig
from functools import lru_cache
from typing import NamedTuple

#: What LLVM is told of a system and a processor. Objects are ELF files everywhere, which one loader reads
#: (`loader.py`), with the calling convention and the reserved registers of the system. LLVM has no such files for
#: Windows on AArch64, and would end the process; what kernels do, they do there as on Linux: arguments in registers.
TRIPLES = {
    ("linux", "x86_64"): "x86_64-unknown-linux-gnu",
    ("linux", "aarch64"): "aarch64-unknown-linux-gnu",
    ("windows", "x86_64"): "x86_64-pc-windows-msvc-elf",
    ("windows", "aarch64"): "aarch64-unknown-linux-gnu",
    ("macos", "x86_64"): "x86_64-apple-macosx11.0.0-elf",
    ("macos", "aarch64"): "arm64-apple-macosx11.0.0-elf",
}

_SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
#: Of a process on Windows. What Python says of the machine is another one where the process is emulated, as on laptops
#: with AArch64 that run programs for x86-64.
_ON_WINDOWS = {"win-amd64": "x86_64", "win-arm64": "aarch64"}


class Host(NamedTuple):
    """A system and a processor for which there are kernels."""

    system: str  #: linux, windows or macos
    architecture: str  #: x86_64 or aarch64


def host() -> Host | None:
    """What this process runs on; None where there are no kernels for it."""
    return _host(platform.system(), platform.machine())


@lru_cache(maxsize=8)
def _host(named: str, machine: str) -> Host | None:
    system = _SYSTEMS.get(named, "")
    known = _ON_WINDOWS.get(sysconfig.get_platform()) if system == "windows" else _ARCHITECTURES.get(machine)
    wide = sys.maxsize > 2**32 and sys.byteorder == "little"  # a 32-bit program may run on a 64-bit system
    return Host(system, known) if wide and system and known else None
