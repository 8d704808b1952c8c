"""Who may have written what the cache on disk holds: machine code of a stranger is not to run.

Where the system knows users by numbers (Linux, macOS), the folder and each entry belong to the user, and only the user
can write to them. On Windows, where the rights of a folder pass to what is made in it, the folder is looked at: in the
user's profile the system keeps others out; anywhere else it belongs to the user, and nobody else may write to it.
"""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path, PureWindowsPath

#: The bit of a reparse tag of Windows that says: another name of something else. Links and junctions have it; what
#: stands in for a file that is kept elsewhere (OneDrive, deduplication) has not, and may be read.
_ANOTHER_NAME = 0x20000000


class Distrusted(Exception):
    """A file or folder that another user may have written; the text says which, why, and what to do."""


def check(path: Path | str, state: os.stat_result) -> None:
    """Raise where another user may have written this file or folder."""
    link = _link(state)
    if link:
        raise Distrusted(f"{path} is a {link}; remove it, or set TCONV_CACHE_DIR to a folder")
    if hasattr(os, "geteuid"):
        _check_mode(path, state)
    elif stat.S_ISDIR(state.st_mode):
        reason = _reason_on_windows(str(path), state.st_dev, state.st_ino)
        if reason:
            raise Distrusted(f"{path} {reason}")


def _link(state: os.stat_result) -> str:
    """What kind of link it is, "" if it is none."""
    if stat.S_ISLNK(state.st_mode):
        return "symbolic link"
    return "junction" if getattr(state, "st_reparse_tag", 0) & _ANOTHER_NAME else ""


def _check_mode(path: Path | str, state: os.stat_result) -> None:
    if state.st_uid != os.geteuid():
        raise Distrusted(
            f"{path} belongs to user {state.st_uid} and this process to user {os.geteuid()}; set TCONV_CACHE_DIR to a "
            "folder of your own"
        )
    if state.st_mode & 0o022:
        raise Distrusted(
            f"{path} can be written by others (mode {stat.S_IMODE(state.st_mode):04o}); if nobody has, run "
            f"chmod go-w {path}"
        )


@lru_cache(maxsize=8)
def _reason_on_windows(folder: str, device: int, inode: int) -> str:
    """Why not to trust a folder, "" if it can be trusted.

    Asking takes long beside reading an entry, and the folder is looked at for each. So the answer is kept, by what the
    folder is and not only by its name: one that takes its place is asked about. Rights that only the user can give are
    not looked at again.
    """
    from tconv.jit.machine import windows_owner as windows

    if PureWindowsPath(os.path.realpath(folder)).is_relative_to(windows.profile()):
        return ""
    found = windows.access(folder)
    if found.owner not in windows.owners():
        return (
            f"belongs to {found.owner or 'nobody'} and this process to {windows.user()}; set TCONV_CACHE_DIR to a "
            "folder of your own"
        )
    others = sorted(found.writers - windows.ALWAYS - {windows.user()})
    if others:
        return (
            f"can be written by others ({', '.join(others)}); set TCONV_CACHE_DIR to a folder in your profile, or to "
            "one that only you can write to"
        )
    return ""
