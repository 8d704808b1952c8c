"""Files that users name: what may be read, and files that appear whole or not at all.

Those are written beside their place first, and then moved there. A reader sees the old file or the new one, and a crash
or a full disk leaves the old one. Pipes and devices are neither read nor replaced: who opens a pipe waits, perhaps for
ever, what is read may have no end, and a file that takes the name of a device is in the way of all programs.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory


def write(target: Path, content: bytes) -> None:
    """Put content into a file at once: it is written beside it, and then takes its name."""
    check_place(target)
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        unfinished = Path(file.name)
        try:
            file.write(content)
            file.close()
            _as_open_as(target, unfinished)
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A place beside a file or folder to write it in, which takes its name at the end of the block, or goes."""
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as beside:
        place = Path(beside) / target.name
        yield place
        if place.is_dir():
            if target.exists():
                target.replace(Path(beside) / "old")
        else:
            _as_open_as(target, place)
        place.replace(target)


def check_place(target: Path) -> None:
    """A file can be there: OSError where its folder is missing, or where something else than a file has its name."""
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder", str(target.parent))
    if target.exists():
        check_file(target)


def check_file(path: Path) -> None:
    """A file is there, or a link to one: OSError where nothing is, or a folder, a pipe, a socket or a device."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    if not stat.S_ISREG(mode):
        kind = "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
        raise OSError(errno.EINVAL, f"Is a {kind}, not a file", str(path))


def _as_open_as(target: Path, unfinished: Path) -> None:
    """The permissions of the file that is replaced, or those of any new file; a temporary file has fewer."""
    if target.exists():
        mode = target.stat().st_mode & 0o777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    unfinished.chmod(mode)
