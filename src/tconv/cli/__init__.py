"""The command line's way in: run a command, and turn what it raises into a message and an exit code.

0: done. 1: a failure, such as a file that cannot be read. 2: the command was used wrongly; the message says what is
allowed. What the code did not foresee stays a traceback, because it is a fault of tconv.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

#: As shells have it: 128 and the number of the signal.
TERMINATED = 128 + signal.SIGTERM
#: Which extra brings a module, and what needs it.
_EXTRA = {
    **dict.fromkeys(("typer", "click", "rich", "PIL", "matplotlib"), ("cli", "the command line")),
    "onnx": ("onnx", "this command"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tconv` with these arguments (those of the process if None) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        from tconv.cli.app import run

        with _terminated_in_order():
            return run(arguments)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        extra, what = _EXTRA[missing]
        print(f"tconv: {what} needs {missing}, which is not installed: pip install 'tconv[{extra}]'", file=sys.stderr)
        return 1


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """A command that is asked to end (SIGTERM, which `timeout` and `kill` send) takes away what is half written.

    Asked again, it ends at once. Where somebody else has said what is to happen then, and in threads, which get no
    signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.exit(TERMINATED)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
