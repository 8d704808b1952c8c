"""Runs `native` functions: as machine code, made once and kept on disk, or as Python where none can be had."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from tconv.jit import compile as compiler
from tconv.jit import isa
from tconv.jit.address import address
from tconv.jit.emit import Module
from tconv.jit.native.language import Native
from tconv.jit.sources import HERE, digest


def run(what: Native, *arguments: Any) -> Any:
    """The result of a function; arrays are contiguous, of i64."""
    code = _code(what)
    if code is None:
        return what(*(a.reshape(-1) if isinstance(a, np.ndarray) else a for a in arguments))
    return code(*(address(a) if isinstance(a, np.ndarray) else a for a in arguments))


@cache  # what is loaded stays in memory
def _code(what: Native) -> Callable[..., Any] | None:
    target = isa.ISAS[isa.available()[-1]] if isa.available() else None

    def text() -> str:
        assert target is not None
        from tconv.jit.native.emit import emit  # where it is kept, its source need not be read

        module = Module(target)
        emit(what, module)
        return str(module)

    if target is None:
        return None
    try:
        found = compiler.quickly(f"{what.name} {_sources()}", text, target, [what.name])
    except (compiler.Unavailable, OSError):  # OSError: installed without sources
        return None
    kinds: dict[str, Any] = {"i64": ctypes.c_int64, "ptr": ctypes.c_void_p, "void": None}
    return ctypes.CFUNCTYPE(kinds[what.returns], *[kinds[kind] for kind, _ in what.parameters])(found[what.name])


@lru_cache(maxsize=1)
def _sources() -> str:
    """A digest of what this machine code comes from, beside what all comes from (`compile.py`)."""
    return digest("", (HERE / "kernels" / "abi.py", *sorted(HERE.glob("native/*.py"))))
