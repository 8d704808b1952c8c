"""No read and no write outside the arrays: they lie against inaccessible pages, in a process that would die of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from needs import needs_signals
from running import BEST, ISAS

HERE = Path(__file__).parent
#: Processes for each set of instructions, that can be tested side by side.
PARTS = 3


def child(*arguments):
    """`guarded.py` in a process of its own."""
    path = os.pathsep.join([str(HERE), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, HERE / "guarded.py", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("target", ISAS)
def test_nothing_outside_the_arrays_is_touched(target, part):
    result = child(target, part, PARTS)
    *problems, done = result.stdout.splitlines() or [""]
    assert result.returncode == 0, f"{(problems or [done])[-1]}\n{done}\n{result.stderr}"
    kinds = json.loads(done)
    every = {"conv_transpose": ("pixels", "channels", "phases", "planes", "depthwise", "taps"),
             "conv": ("pixels", "channels", "planes", "depthwise"),
             "weight_gradient": ("gradient", "depthwise gradient")}  # fmt: skip
    assert kinds.keys() == {f"{operation}, {kind}" for operation in every for kind in every[operation]}
    assert min(kinds.values()) >= 2


@needs_signals
@pytest.mark.parametrize("name", ["x", "w", "bias", "out"])
@pytest.mark.parametrize("target", BEST)
def test_the_pages_are_guarded(target, name):
    """One element further is enough."""
    result = child(target, 0, "trip", name)
    assert result.returncode == -signal.SIGSEGV, result.stderr
    assert "Fatal Python error" in result.stderr  # a second thread may end the process before the rest is printed


@pytest.mark.parametrize("target", BEST)
def test_nothing_happens_where_nothing_is_moved(target):
    result = child(target, 0, "trip")
    assert (result.returncode, result.stderr) == (0, "")
