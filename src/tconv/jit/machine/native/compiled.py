"""Runs `native` functions: as machine code, made once and kept on disk, or as Python where none can be had."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.address import address
from tconv.jit.machine.ir import Module
from tconv.jit.machine.native.language import NativeFunction
from tconv.jit.machine.sources import digest


def run(what: NativeFunction, *arguments: Any) -> Any:
    """The result of a function; arrays are contiguous, of i64."""
    code = _code(what)
    if code is None:
        return what(*(a.reshape(-1) if isinstance(a, np.ndarray) else a for a in arguments))
    return code(*(address(a) if isinstance(a, np.ndarray) else a for a in arguments))


@cache  # what is loaded stays in memory
def _code(what: NativeFunction) -> Callable[..., Any] | None:
    target = isa.ISAS[isa.available()[-1]] if isa.available() else None

    def text() -> str:
        assert target is not None
        from tconv.jit.machine.native.translate import emit  # where it is kept, its source need not be read

        module = Module(target)
        emit(what, module)
        return str(module)

    if target is None:
        return None
    try:
        found = compiler.quickly(f"{what.name} {_sources(what)}", text, target, [what.name])
    except (compiler.Unavailable, OSError):  # OSError: installed without sources
        return None
    kinds: dict[str, Any] = {"i64": ctypes.c_int64, "ptr": ctypes.c_void_p, "void": None}
    return ctypes.CFUNCTYPE(kinds[what.returns], *[kinds[kind] for kind, _ in what.parameters])(found[what.name])


def _sources(what: NativeFunction) -> str:
    """A digest of what this machine code comes from, beside what all comes from (`compile.py`).

    Of the function and all that it calls these are the files, and the integers and words that they name.
    """
    calls: list[NativeFunction] = [what]
    words: set[type[IntEnum]] = set()
    integers: set[str] = set()
    for one in calls:  # it grows meanwhile
        scope = one.function.__globals__
        for name in one.function.__code__.co_names:
            value = scope.get(name)
            if isinstance(value, NativeFunction):
                calls += [] if value in calls else [value]
            elif isinstance(value, int):
                integers.add(f"{name} {value}")
            elif isinstance(value, type) and issubclass(value, IntEnum):
                words.add(value)
    said = [*integers, *(f"{each.__name__} {[(word.name, word.value) for word in each]}" for each in words)]
    here, files = Path(__file__).parent, {Path(one.function.__code__.co_filename) for one in calls}
    return digest(" ".join(sorted(said)), [here / "language.py", here / "translate.py", *sorted(files)])
