"""tconv against other libraries: `python -m benchmarks.compare` is the command `tconv bench`."""

from __future__ import annotations

import sys

from tconv.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
