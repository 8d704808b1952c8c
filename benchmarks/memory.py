"""How much memory a process has had at most."""

from __future__ import annotations


def peak() -> int:
    """Bytes of this process; mapped files count while their pages are there. Not on Windows.

    Processes that tests start run the source of this function, so it imports what it needs itself.
    """
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:  # not Linux, where what getrusage says begins with the memory of whoever started the process
        import resource
        import sys

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
