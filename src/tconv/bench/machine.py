"""On what was measured: the processor, the versions, and what the machine can do at most."""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from tconv._version import __version__
from tconv.bench import cores
from tconv.checks import Rejected

_VERSIONS = ("numpy", "llvmlite", "torch", "onnxruntime", "openvino", "jax")

#: Bytes of the array that is copied: at least these, so that a call is not what is measured, and at most those.
LEAST_COPIED, MOST_COPIED = 1 << 20, 64 << 20


class Ceilings(NamedTuple):
    """What the cores can do together: floating-point operations, and bytes read and written, in a second."""

    peak: float
    bandwidth: float


def processor() -> str:
    """The name of the processor, as the system gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """The machine, the versions and the date, for the record."""
    return {
        "processor": processor(),
        "cores": cores.count_at_start(),
        "instructions": _instructions(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"tconv": __version__, **_versions()},
        "date": datetime.now(UTC).date().isoformat(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _instructions() -> str:
    forced = os.environ.get("TCONV_ISA")
    try:
        from tconv.jit.machine import isa

        return isa.current().name + (" (TCONV_ISA)" if forced else "")
    except (ImportError, Rejected):
        return "none that kernels are generated for"


def no_ceilings() -> str:
    """Why peak and bandwidth cannot be measured here; "" where they can."""
    try:
        from tconv.jit.machine import compile as compiler
        from tconv.jit.machine import isa, roofline  # noqa: F401 - whether it loads

        isa.current()
        return compiler.available()
    except (ImportError, Rejected) as error:
        return str(error)


def ceilings(threads: int, footprint: int) -> Ceilings:
    """One measurement on so many cores at once: multiply-adds in registers, and copies of `footprint` bytes in all.

    A layer whose arrays fit into a cache is compared with copies that do.
    """
    from tconv.jit.machine import isa, roofline

    kind = isa.current()
    size = min(max(footprint // (2 * threads), LEAST_COPIED), MOST_COPIED)
    # The copied arrays are kept by their size: another one for each thread, so that no two share their arrays.
    sizes = [size + 4096 * number for number in range(threads)]
    if threads == 1:
        roofline.bandwidth(kind, size)  # brings the arrays in
        return Ceilings(roofline.peak(kind), roofline.bandwidth(kind, size))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda each: roofline.bandwidth(kind, each), sizes))
        bandwidth = sum(pool.map(lambda each: roofline.bandwidth(kind, each), sizes))
        peak = sum(pool.map(lambda _: roofline.peak(kind), sizes))
    return Ceilings(peak, bandwidth)
