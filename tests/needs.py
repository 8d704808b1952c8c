"""What tests need of the system that they run on: marks that skip them where it does not have it."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

#: What emulates the system or the processor that tests run on (`.ci/emulated`), "" where nothing does.
EMULATOR = os.environ.get("TCONV_EMULATED", "")


def _makes_links() -> bool:
    """Windows lets few users do so, and wine's are none to who asks."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "link")
        try:
            link.symlink_to(Path(folder, "file"))
        except OSError:
            return False
        return link.is_symlink()


def _needs(there: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not there, reason=reason)


needs_forks = _needs(hasattr(os, "fork"), "the system cannot fork")
needs_modes = _needs(hasattr(os, "geteuid"), "files have no modes here that say who may write them")
needs_links = _needs(_makes_links(), "this user makes no symbolic links")
#: Signals end processes, and `subprocess` says which.
needs_signals = _needs(os.name == "posix", "processes are not ended by signals here")
#: Scripts that name their interpreter in their first line are programs.
needs_scripts = _needs(os.name == "posix", "text files are no programs here")
#: Paths begin with a slash.
needs_posix_paths = _needs(os.name == "posix", "paths are written otherwise here")
#: /proc tells of this process and of its processor; under QEMU it tells of QEMU and of the processor outside.
needs_proc = _needs(sys.platform == "linux" and EMULATOR != "qemu", "/proc does not tell of this process")
#: Under QEMU a process takes some seconds to begin, and a dozen of them minutes.
needs_quick_starts = _needs(EMULATOR != "qemu", "a dozen processes take minutes to begin under QEMU")
#: SciPy comes with tconv; under wine it does not load.
needs_scipy = _needs(find_spec("scipy") is not None, "SciPy is not there")
