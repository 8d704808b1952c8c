"""LLVM outside of the emulator, where it takes a tenth of the time: the IR is that of the inside, and so is the target.

One compilation of `BOTH` is made inside as well, and has to give the same object in every byte.
"""

from __future__ import annotations

import os
import threading
from multiprocessing.connection import Client, Connection, Listener

from tconv.jit.machine import compile as compiler
from tconv.jit.machine.isa import Isa

#: Of so many compilations one is made inside too.
BOTH = 25
#: Where the outside is told of: its port, and what it knows its client by.
PORT, KEY = "TCONV_EMULATED_PORT", "TCONV_EMULATED_KEY"


# ---- outside


def serving() -> dict[str, str]:
    """Begin to serve one client; what it has to find in its environment."""
    key = os.urandom(16).hex()
    listener = Listener(("localhost", 0), authkey=key.encode())
    threading.Thread(target=lambda: _serve(listener.accept()), daemon=True).start()
    return {PORT: str(listener.address[1]), KEY: key}


def _serve(client: Connection) -> None:
    while True:
        try:
            asked = client.recv()
        except EOFError:
            return
        try:
            client.send(compiler._compiled(*asked))
        except Exception as error:
            client.send(error)


# ---- inside


class Compiling:
    """What stands in for `compile._compiled`."""

    def __init__(self) -> None:
        self.server = Client(("localhost", int(os.environ[PORT])), authkey=os.environ[KEY].encode())
        self.inside, self.lock = compiler._compiled, threading.Lock()
        self.made = self.both = 0

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
