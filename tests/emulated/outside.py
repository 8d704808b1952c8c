"""LLVM outside of the emulator, where it takes a tenth of the time: the IR is that of the inside, and so is the target.

One compilation of `BOTH` is made inside as well, and has to give the same object in every byte.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Listener

from tconv.jit.machine import compile as compiler
from tconv.jit.machine.isa import Isa

#: Of so many compilations one is made inside too.
BOTH = 25
#: Where the outside is told of: its port, and what it knows its client by.
PORT, KEY = "TCONV_EMULATED_PORT", "TCONV_EMULATED_KEY"


# ---- outside


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """Serve one client; what it has to find in its environment."""
    key = os.urandom(16).hex()
    listener = Listener(("localhost", 0), authkey=key.encode())
    compiled = compiler._compiled  # which the inside replaces, in tests in this process
    thread = threading.Thread(target=lambda: _serve(listener, compiled), daemon=True)
    thread.start()
    yield {PORT: str(listener.address[1]), KEY: key}
    thread.join(timeout=1)  # where nobody came it goes on


def _serve(listener: Listener, compiled: Callable[..., bytes]) -> None:
    with listener, listener.accept() as client, suppress(EOFError):
        while True:
            asked = client.recv()
            try:
                client.send(compiled(*asked))
            except Exception as error:
                client.send(error)


# ---- inside


class Compiling:
    """What stands in for `compile._compiled`."""

    def __init__(self) -> None:
        self.server = Client(("localhost", int(os.environ[PORT])), authkey=os.environ[KEY].encode())
        self.inside, self.lock = compiler._compiled, threading.Lock()
        self.made = self.both = 0

    def close(self) -> None:
        """Let the outside go."""
        self.server.close()

    def __call__(self, text: str, isa: Isa, quickly: bool = False) -> bytes:
        """The object of a module."""
        with self.lock:
            self.server.send((text, isa, quickly))
            data = self.server.recv()
            if isinstance(data, Exception):
                raise data
            if self.made % BOTH == 0:
                if self.inside(text, isa, quickly) != data:
                    raise AssertionError("LLVM makes another object inside of the emulator")
                self.both += 1
            self.made += 1
        return data
