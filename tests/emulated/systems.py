"""The systems: what emulates them, how Python is started there, and what has to come of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from shutil import which

from tests.emulated import roots

REPOSITORY = Path(__file__).parents[2]

#: What loads code, runs it and shares it among threads; `CHILDREN` and `KEPT` start processes, and use the folder of
#: kernels and LLVM in ways that differ between systems, not between processors.
GROUND = ("isa", "launch", "launch_pool", "loader", "pages", "python_threads", "system_calls", "systems")
CHILDREN = ("compile", "launch_processes")
KEPT = ("address", "cache", "cache_trust", "environment", "fingerprint", "transposing")

#: Features that these processors have and QEMU lacks: it would say so each time.
_HASWELL = "Haswell,-pcid,-x2apic,-tsc-deadline,-invpcid,-hle,-rtm"
_NEHALEM = "Nehalem"


@dataclass(frozen=True)
class Started:
    """How Python is started on a system: by a program of this machine, in an environment."""

    python: Path
    environment: dict[str, str]


@dataclass(frozen=True)
class System:
    """One of them."""

    name: str
    isa: str  #: the instructions that the engine has to find by itself; "": this machine's best
    made: Callable[[Path], Started]  #: in the folder of what is downloaded
    tests: tuple[str, ...]  #: of tests/jit/machine
    options: tuple[str, ...] = field(default=())


def _qemu(python: Path, name: str, options: list[str], site: str = "") -> Started:
    """Python under QEMU: a script beside it, which it takes for itself, so that its children are started likewise."""
    script = python.with_name(f"python-{name}")
    command = " ".join(quote(word) for word in options)
    script.write_text(f'#!/bin/sh\nexec {command} -0 "$0" {quote(str(python))} "$@"\n', "utf-8")
    script.chmod(0o755)
    path = os.pathsep.join(filter(None, [site, str(REPOSITORY / "src")]))
    return Started(script, {"TCONV_EMULATED": "qemu", "PYTHONPATH": path})


def _aarch64(cache: Path) -> Started:
    root = roots.debian(cache, "arm64")
    python, version = roots.python_of(root)
    platforms = [f"manylinux{of}_aarch64" for of in ("2014", "_2_27", "_2_28")]
    site = roots.wheels(cache, "aarch64", version, platforms)
    return _qemu(python, "emulated", [_program("qemu-aarch64-static"), "-L", str(root)], str(site))


def _x86_64(model: str) -> Callable[[Path], Started]:
    """This machine's own Python on another processor."""

    def made(cache: Path) -> Started:
        options = [_program("qemu-x86_64-static"), "-cpu", model]
        return _qemu(Path(sys.executable), model.partition(",")[0].lower(), options)

    return made


def _windows(cache: Path) -> Started:
    wine, server = Path("/usr/lib/wine/wine64"), Path("/usr/lib/wine/wineserver64")
    for program in (wine, server):
        _program(str(program))
    # No sound of its own faults, and no questions whether to install what HTML and .NET would need.
    given = {"WINESERVER": str(server), "WINELOADER": str(wine), "WINEDEBUG": "-all"}
    given["WINEDLLOVERRIDES"] = "mscoree,mshtml="
    given["WINEPREFIX"] = str(roots.wine_prefix(cache, given, wine))
    version = roots.WINDOWS_VERSION
    site = roots.wheels(cache, "windows", version, ["win_amd64"], roots.WHEELS_OF_WINDOWS)
    python = roots.windows(cache) / "python.exe"
    script = cache / "python-windows"
    # What is printed goes through a pipe: wine would take a file or a terminal for another kind of output.
    command = f'{quote(str(wine))} {quote(str(python))} "$@" < /dev/null 2>&1 | cat'
    script.write_text(f"#!/bin/bash\nset -o pipefail\n{command}\n", "utf-8")
    script.chmod(0o755)
    path = ";".join(as_windows(folder) for folder in (site, REPOSITORY / "src"))
    return Started(script, {**given, "TCONV_EMULATED": "wine", "PYTHONPATH": path})


def as_windows(path: Path) -> str:
    """A path as programs under wine name it."""
    return "Z:" + str(path).replace("/", "\\")


def _program(name: str) -> str:
    found = which(name)
    if found is None:
        raise RuntimeError(f"{name} is not there: apt-get install qemu-user-static wine64")
    return found


SYSTEMS = {
    system.name: system
    for system in (
        System("aarch64-linux", "neon", _aarch64, (*GROUND, *CHILDREN, *KEPT)),
        System("x86_64-haswell", "avx2", _x86_64(_HASWELL), GROUND),
        System("x86_64-nehalem", "baseline", _x86_64(_NEHALEM), GROUND),
        System("x86_64-windows", "", _windows, (*GROUND, *CHILDREN, *KEPT, "loader_refused")),
    )
}


def environment(started: Started, kernels: Path) -> dict[str, str]:
    """Of a process there: nothing of tconv's own settings here is left."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TCONV_", "PYTHON"))}
    under_wine = started.environment["TCONV_EMULATED"] == "wine"
    folder = as_windows(kernels) if under_wine else str(kernels)
    return {**own, **started.environment, "TCONV_CACHE_DIR": folder, "PYTHONDONTWRITEBYTECODE": "1"}
