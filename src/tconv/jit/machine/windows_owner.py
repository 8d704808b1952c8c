"""Whom a folder of Windows belongs to, who may write to it, and for whom this process runs.

The system answers with bytes, in which security identifiers (SIDs) stand as [MS-DTYP] lays them out, with lists of who
may do what. They are read here rather than by further functions of the system: nothing is to be freed, and all but the
four questions themselves is tested on any system.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

EVERYONE, ADMINISTRATORS = "S-1-1-0", "S-1-5-32-544"
#: Who may write everywhere, the system and its administrators, and what stands for the owner of a file.
ALWAYS = frozenset({"S-1-5-18", ADMINISTRATORS, "S-1-3-0", "S-1-3-4"})

#: The rights by which what lies in a folder comes to be another's: to add files, to append or add folders, to remove
#: what others made, to change who may do what, to take ownership, and everything, or all writing.
_WRITING = 0x2 | 0x4 | 0x40 | 0x40000 | 0x80000 | 0x10000000 | 0x40000000

_DESCRIPTOR, _LIST, _ENTRY = struct.Struct("<BxHIIII"), struct.Struct("<BxHHxx"), struct.Struct("<BBHI")
_HAS_LIST = 0x4  # SE_DACL_PRESENT
#: Entries that allow something to the SID behind them, and those that allow it by further fields, which no file has.
_ALLOWING, _ALLOWING_BY_MORE = {0, 9}, {4, 5, 11}

_OWNER_AND_LIST = 0x1 | 0x4  # OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION
_USER, _OWNER = 1, 4  # TokenUser and TokenOwner
_TOKEN_QUERY = 0x8


@dataclass(frozen=True, slots=True)
class Access:
    """What a security descriptor says."""

    owner: str  #: the SID, "" where there is none
    writers: frozenset[str]  #: the SIDs of all to whom writing is allowed, now or in what is made in the folder


# ---- bytes


def sid(raw: bytes, at: int) -> str:
    """The SID at an offset, as text: S-1-5-18."""
    revision, count = struct.unpack_from("<BB", raw, at)
    authority = int.from_bytes(struct.unpack_from("6s", raw, at + 2)[0], "big")
    return "-".join(["S", *map(str, (revision, authority, *struct.unpack_from(f"<{count}I", raw, at + 8)))])


def read(descriptor: bytes) -> Access:
    """The owner and the writers in a security descriptor whose parts lie behind each other (self-relative).

    An entry that denies something is passed over: it might take from others what another entry gives them, but to tell
    whether it does takes all groups of all of them.
    """
    _, control, owner, _, _, entries = _DESCRIPTOR.unpack_from(descriptor)
    if not (control & _HAS_LIST and entries):
        writers = frozenset({EVERYONE})  # without a list, everything is allowed to everyone
    else:
        writers = frozenset(_writers(descriptor, entries))
    return Access(sid(descriptor, owner) if owner else "", writers)


def _writers(raw: bytes, at: int) -> list[str]:
    _, _, count = _LIST.unpack_from(raw, at)
    at, found = at + _LIST.size, []
    for _ in range(count):
        kind, _, size, rights = _ENTRY.unpack_from(raw, at)
        if rights & _WRITING and kind in _ALLOWING:
            found.append(sid(raw, at + _ENTRY.size))
        elif rights & _WRITING and kind in _ALLOWING_BY_MORE:
            found.append(f"an entry of type {kind}")
        at += size
    return found


# ---- questions


def access(folder: str) -> Access:
    """The owner and the writers of a folder; OSError where the system does not tell."""
    return read(_descriptor(folder))


@lru_cache(maxsize=1)
def user() -> str:
    """The SID of the user that this process runs for."""
    return _of_token(_USER)


@lru_cache(maxsize=1)
def owners() -> frozenset[str]:
    """The SIDs that this process's own folders may belong to.

    What an administrator makes belongs to all of them on servers, and where Windows asked before it let the process be
    one. The process says so itself (TokenOwner); where it does not, a folder of the administrators is a stranger's.
    """
    return frozenset({user()} | ({ADMINISTRATORS} & {_of_token(_OWNER)}))


@lru_cache(maxsize=1)
def profile() -> str:
    """The folder of the user, as the system knows it; the environment may say another one."""
    size = ctypes.c_uint32(0)
    with _Token() as token:
        _functions()["GetUserProfileDirectoryW"](token, None, ctypes.byref(size))  # how long it is
        text = ctypes.create_unicode_buffer(size.value)
        _ask("GetUserProfileDirectoryW", token, text, ctypes.byref(size))
    return text.value


def _descriptor(folder: str) -> bytes:
    size = ctypes.c_uint32(0)
    _functions()["GetFileSecurityW"](folder, _OWNER_AND_LIST, None, 0, ctypes.byref(size))
    raw = ctypes.create_string_buffer(size.value)
    _ask("GetFileSecurityW", folder, _OWNER_AND_LIST, raw, size, ctypes.byref(size))
    return raw.raw


def _of_token(what: int) -> str:
    size = ctypes.c_uint32(0)
    with _Token() as token:
        _functions()["GetTokenInformation"](token, what, None, 0, ctypes.byref(size))
        raw = ctypes.create_string_buffer(size.value)
        _ask("GetTokenInformation", token, what, raw, size, ctypes.byref(size))
    # The address of the SID, which lies in the same bytes.
    return sid(raw.raw, ctypes.c_size_t.from_buffer(raw).value - ctypes.addressof(raw))


class _Token:
    """What the system knows of the user of this process, opened and closed."""

    def __enter__(self) -> ctypes.c_void_p:
        self._handle = ctypes.c_void_p()
        process = _functions()["GetCurrentProcess"]()
        _ask("OpenProcessToken", process, _TOKEN_QUERY, ctypes.byref(self._handle))
        return self._handle

    def __exit__(self, *_: object) -> None:
        _functions()["CloseHandle"](self._handle)


def _ask(name: str, *arguments: Any) -> None:
    """Call a function that returns whether it worked."""
    if not _functions()[name](*arguments):
        raise _error()


def _error() -> OSError:
    if sys.platform == "win32":
        return ctypes.WinError(ctypes.get_last_error())
    return OSError("there is no Windows to ask")


_HANDLE, _NUMBER, _BYTES = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p
_SIZE, _TRUTH = ctypes.POINTER(_NUMBER), ctypes.c_int
#: By function: its library, what it returns, and its arguments.
_FUNCTIONS: dict[str, tuple[str, Any, list[Any]]] = {
    "GetCurrentProcess": ("kernel32", _HANDLE, []),
    "CloseHandle": ("kernel32", _TRUTH, [_HANDLE]),
    "OpenProcessToken": ("advapi32", _TRUTH, [_HANDLE, _NUMBER, ctypes.POINTER(_HANDLE)]),
    "GetTokenInformation": ("advapi32", _TRUTH, [_HANDLE, _NUMBER, _BYTES, _NUMBER, _SIZE]),
    "GetFileSecurityW": ("advapi32", _TRUTH, [ctypes.c_wchar_p, _NUMBER, _BYTES, _NUMBER, _SIZE]),
    "GetUserProfileDirectoryW": ("userenv", _TRUTH, [_HANDLE, _BYTES, _SIZE]),
}


@lru_cache(maxsize=1)
def _functions() -> dict[str, Any]:
    """The functions of the system, by name."""
    if sys.platform != "win32":
        raise _error()
    found: dict[str, Any] = {}
    for name, (library, returns, arguments) in _FUNCTIONS.items():
        found[name] = ctypes.WinDLL(library, use_last_error=True)[name]
        found[name].restype, found[name].argtypes = returns, arguments
    return found
