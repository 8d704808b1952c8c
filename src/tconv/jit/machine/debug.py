"""What is printed to the error stream about the engine's work: the words in `TCONV_DEBUG`, with commas between them."""

from __future__ import annotations

import os
from functools import lru_cache

from tconv import checks

#: What can be asked for: the plan of a call, the LLVM IR and the assembly of kernels when a process first needs them.
WORDS = ("plan", "ir", "asm")


def wants(word: str) -> bool:
    """Whether `TCONV_DEBUG` asks for one of `WORDS`."""
    return word in _words(os.environ.get("TCONV_DEBUG", ""))


@lru_cache(maxsize=8)
def _words(text: str) -> frozenset[str]:
    found = frozenset(word.strip() for word in text.split(",")) - {""}
    for unknown in sorted(found.difference(WORDS)):
        checks.wrong(f"TCONV_DEBUG must be any of {', '.join(WORDS)}, with commas between them; got {unknown!r}")
    return found
