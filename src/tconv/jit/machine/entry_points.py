"""The ways into compiled code: run a program, pack its weights."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

#: The functions with their arguments.
_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 6, ctypes.c_int64, ctypes.c_void_p)
_PACK = ctypes.CFUNCTYPE(
    ctypes.c_int64, *[ctypes.c_void_p] * 3, ctypes.c_int64, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_void_p
)


@dataclass(frozen=True, slots=True)
class EntryPoints:
    """Functions to call; `launch.py` calls them on several threads."""

    run: Any
    pack: Any

    @classmethod
    def at(cls, run: int, pack: int) -> EntryPoints:
        """Those that lie at these addresses."""
        return cls(_RUN(run), _PACK(pack))
