"""Keeps machine code on disk from one process to the next: a folder of files, one an entry, private to its user.

The folder is `$TCONV_CACHE_DIR`, else `tconv` in the system's folder for caches. An entry that is damaged counts as
absent. What another user may have written (`cache_trust.py`) is refused with one warning, and the folder is not used
for the rest of the process. All else that can go wrong with a folder (no home, read-only, full) means that code is
compiled and not kept, and is nobody's business but that of `tconv cache info`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tconv.jit.machine.cache_trust import Distrusted, check

#: The least recently used entries are dropped when all together have more bytes than this, down to three quarters.
LIMIT = 256 << 20

#: What files begin with; changes when they are laid out anew. The sha256 of name and content follows, then the content.
_MAGIC = b"tconv-1\n"
_HEAD = len(_MAGIC) + 32
_ENTRY = re.compile(r"([0-9a-f]{64})-([0-9a-f]{16})\.tconv")
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.tconv-new")
_HOUR, _DAY = 3600, 86400
#: How entries are opened: no link is followed, and a pipe in the place of one is not waited for.
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))

#: Folders that hold something that another user may have written, with the sentence that says what.
_distrusted: dict[Path, str] = {}

#: By folder, how many bytes this process adds before it looks through it again.
_room: dict[Path, int] = {}
#: What part of the bytes that are left that is: other processes add some meanwhile.
_SHARE = 8


@dataclass(frozen=True, slots=True)
class Info:
    """The state of the cache."""

    folder: Path | None  #: None where the user has no home
    entries: int
    bytes: int
    reason: str  #: why it is not used, "" if it is

    @property
    def in_use(self) -> bool:
        """Whether code is read from it and kept in it."""
        return not self.reason


#: What the folder depends on, beside the system.
_SAID = "TCONV_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"


def place() -> Path | None:
    """The folder, whether it exists or not; None where there is no place for one."""
    found = _place(sys.platform, *map(os.environ.get, _SAID))
    # A relative one is another where the process has changed its folder.
    return found if found is None or found.is_absolute() else found.absolute()


@lru_cache(maxsize=8)
def _place(system: str, given: str | None, xdg: str | None, local: str | None, *_: str | None) -> Path | None:
    """Kept by all that it depends on: making a path takes long, and the folder is asked for at each new size."""
    if given:
        return Path(given)
    home = os.path.expanduser("~")
    if system == "win32":
        caches = local or os.path.join(home, "AppData", "Local")
    elif system == "darwin":
        caches = os.path.join(home, "Library", "Caches")
    else:
        caches = xdg if xdg and os.path.isabs(xdg) else os.path.join(home, ".cache")  # as its specification says
    return Path(caches, "tconv") if os.path.isabs(caches) else None


def read(key: str, compiler: str | None) -> bytes | None:
    """What was kept under a key of 64 hexadecimal digits by a compiler (16 of them; None: any), if anything was."""
    folder = _trusted()
    if folder is None:
        return None
    try:
        names = (
            sorted(found.name for found in folder.glob(f"{key}-*.tconv"))
            if compiler is None
            else [_name(key, compiler)]
        )
        contents = (_content(folder, name) for name in names)
        return next((content for content in contents if content is not None), None)
    except Distrusted as reason:
        _distrust(folder, str(reason))
    except OSError:
        pass
    return None


def write(key: str, compiler: str, content: bytes) -> None:
    """Keep content under a key, where that can be done."""
    folder = _trusted()
    if folder is None:
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        check(folder, os.lstat(folder))
        _put(folder, _name(key, compiler), content)
        _room[folder] = _room.get(folder, 0) - _HEAD - len(content)
        if _room[folder] < 0:
            _room[folder] = (LIMIT - _shrink(folder)) // _SHARE
    except Distrusted as reason:
        _distrust(folder, str(reason))
    except OSError:
        pass


def info() -> Info:
    """The state of the cache."""
    folder = place()
    if folder is None:
        return Info(None, 0, 0, "there is no home folder; TCONV_CACHE_DIR can name another place")
    sizes: list[int] = []
    reason = _distrusted.get(folder, "")
    try:
        check(folder, os.lstat(folder))
        found = list(_entries(folder))
        sizes += (state.st_size for _, state in found)
        for path, state in found:
            check(path, state)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            reason = reason or f"{folder} cannot be written to: its entries are read, none is added"
    except Distrusted as distrusted:
        reason = reason or str(distrusted)
    except FileNotFoundError:
        reason = reason or _cannot_be_made(folder)
    except OSError as error:
        reason = reason or f"{folder}: {error.strerror}"
    return Info(folder, len(sizes), sum(sizes), reason)


def clear() -> int:
    """Remove all entries, and nothing else; how many there were."""
    folder, removed = place(), 0
    if folder is None or not os.path.lexists(folder):
        return 0
    for path, _ in _entries(folder):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            removed += 1
    _remove_unfinished(folder, older=0)
    return removed


# ---- trust


def _trusted() -> Path | None:
    folder = place()
    return None if folder in _distrusted else folder


def _distrust(folder: Path, reason: str) -> None:
    """Stop using a folder, and say so once."""
    if folder not in _distrusted:
        _distrusted[folder] = reason
        warnings.warn(f"tconv does not use its cache of compiled kernels: {reason}", RuntimeWarning, stacklevel=2)


# ---- files


def _name(key: str, compiler: str) -> str:
    return f"{key}-{compiler}.tconv"


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + content).digest()


def _content(folder: Path, name: str) -> bytes | None:
    """The content of an entry, None if it is absent or damaged."""
    path = os.path.join(folder, name)
    try:
        # The checks look at what is opened, not at what the path leads to a moment later.
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError:
        check(folder, os.lstat(folder))
        check(path, os.lstat(path))  # a link is not opened
        raise
    try:
        check(folder, os.lstat(folder))
        state = os.fstat(handle)
        check(path, state)
        if not stat.S_ISREG(state.st_mode) or state.st_size > LIMIT:
            return None
        with open(handle, "rb", closefd=False) as file:
            raw = file.read()
    finally:
        os.close(handle)
    if raw[: len(_MAGIC)] != _MAGIC or raw[len(_MAGIC) : _HEAD] != _digest(name, raw[_HEAD:]):
        return None
    if time.time() - state.st_mtime > _DAY:  # when it was last used; once a day is exact enough
        with contextlib.suppress(OSError):
            os.utime(path)
    return raw[_HEAD:]


def _put(folder: Path, name: str, content: bytes) -> None:
    """Write a file as a whole or not at all: readers see the old one or the new one, and the last writer wins."""
    unfinished = folder / f".{os.urandom(8).hex()}.tconv-new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            file.write(_MAGIC + _digest(name, content) + content)
        os.replace(unfinished, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _files(folder: Path, pattern: re.Pattern[str]) -> Iterator[tuple[Path, os.stat_result]]:
    """Files by their names, and what the system says of them (not of where they lead, should they be links)."""
    with os.scandir(folder) as found:
        for entry in found:
            if pattern.fullmatch(entry.name) and (entry.is_symlink() or entry.is_file()):
                with contextlib.suppress(FileNotFoundError):  # removed by another process
                    yield Path(entry.path), entry.stat(follow_symlinks=False)


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    return _files(folder, _ENTRY)


def _shrink(folder: Path) -> int:
    """Drop the least recently used entries where all together are too large, and what killed processes left.

    Returns how many bytes there are then. It takes 10 µs an entry, of which there may be thousands: too long for every
    write.
    """
    _remove_unfinished(folder, older=_HOUR)
    found = [(state.st_mtime, state.st_size, path) for path, state in _entries(folder)]
    total = sum(size for _, size, _ in found)
    if total <= LIMIT:
        return total
    for _, size, path in sorted(found):
        if total <= LIMIT * 3 // 4:
            break
        path.unlink(missing_ok=True)
        total -= size
    return total


def _remove_unfinished(folder: Path, older: int) -> None:
    for path, state in _files(folder, _UNFINISHED):
        if time.time() - state.st_mtime >= older:
            path.unlink(missing_ok=True)


def _cannot_be_made(folder: Path) -> str:
    """Why a folder that does not exist could not be made, "" if it could."""
    above = next(parent for parent in folder.parents if parent.exists())
    can = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    return "" if can else f"{folder} does not exist and cannot be made in {above}"
