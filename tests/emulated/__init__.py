"""The engine on systems that this machine is not: `.ci/emulated`, from anywhere."""

import sys
from pathlib import Path

#: As in pytest's own configuration: what tests share is imported by its bare name.
_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(path) for path in (_TESTS, _TESTS / "jit") if str(path) not in sys.path]
