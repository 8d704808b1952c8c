"""How much memory a process has had at most."""

from __future__ import annotations


def peak() -> int:
    """Bytes of this process; mapped files count while their pages are there. Not on Windows."""
    import resource
    import sys

    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:  # what getrusage says begins with the memory of whoever started the process
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
