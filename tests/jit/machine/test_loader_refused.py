"""Where the system refuses executable memory: textbook methods compute, plans say why, and nothing crashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_kernel
from needs import needs_scipy
from registry import needs_torch

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import loader
from tconv.jit.machine.relocations import Refused

#: The process gives up the right to make memory executable, as systemd's MemoryDenyWriteExecute does for a service.
GIVE_UP = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: since Linux 6.3
    sys.exit(77)
"""
ARRAYS = """
import numpy as np
import tconv
x, w, given = np.ones((1, 16, 12, 12), "f"), np.ones((16, 8, 4, 4), "f"), {"stride": 2, "padding": 1}
"""
REASON = "cannot generate kernels: the system refuses executable memory (Permission denied)"

pytestmark = pytest.mark.skipif(not loader.machine(), reason="objects are loaded by LLVM here")
#: Where a process can give up executable memory.
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a call for that")


def printed(script):
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    if done.returncode == 77:
        pytest.skip("this kernel lets every process make memory executable")
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.splitlines()


@needs_scipy
@linux
def test_textbook_methods_compute():
    found = printed(
        ARRAYS + GIVE_UP + "y = tconv.conv_transpose(x, w, **given)\n"
        "print(y.sum(), tconv.ConvTranspose(w, **given)(x).sum(), tconv.conv(y, w, **given).shape)\n"
        "print(tconv.weight_gradient(x, y, kernel_size=4, **given).shape)\n"
        "print(tconv.plan(x, w, **given))"
    )
    assert found[:2] == ["270848.0 270848.0 (1, 16, 12, 12)", "(16, 8, 4, 4)"]
    assert [line.split(maxsplit=5)[-1] for line in found if line.startswith("  jit")] == [REASON]


@needs_scipy
@linux
def test_who_asks_for_the_engine_is_told():
    found = printed(
        ARRAYS + GIVE_UP + "def said(call):\n"
        "    try: call()\n"
        "    except ValueError as error: print(str(error).splitlines()[0])\n"
        'said(lambda: tconv.conv_transpose(x, w, method="jit", **given))\n'
        'said(lambda: tconv.ConvTranspose(w, method="jit", **given)(x))\n'
        "said(lambda: tconv.tune(x, w, **given))\n"
        "from tconv.bench import machine\n"
        "print(machine.no_ceilings())"
    )
    assert found == [
        f'conv_transpose: method "jit" {REASON}',
        f'ConvTranspose: method "jit" {REASON}',
        f'tune: method "jit" {REASON}',
        REASON.removeprefix("cannot generate kernels: "),
    ]


@needs_scipy
@linux
def test_the_command_line_says_it():
    pytest.importorskip("typer", exc_type=ModuleNotFoundError)
    found = printed(
        GIVE_UP + "from tconv.cli import main\n"
        'sys.argv = "tconv explain --plan --measure --coarse 12 --kernel 4 --stride 2".split()\n'
        "main()"
    )
    assert f'method "jit" {REASON}' in found


@needs_torch
@linux
def test_pytorch_computes():
    """Without oneDNN, which makes code too, and without which PyTorch's own layers raise an error there."""
    found = printed(
        GIVE_UP + "import torch, tconv.torch\n"
        "torch.backends.mkldnn.set_flags(False)\n"
        "x, w = torch.ones(1, 16, 12, 12), torch.ones(16, 8, 4, 4)\n"
        "layer = tconv.torch.nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False)\n"
        "for memory_format in (torch.contiguous_format, torch.channels_last):\n"
        "    layer.weight.data = w.to(memory_format=memory_format)\n"
        "    for _ in range(3): y = layer(x)\n"
        "    y.sum().backward()\n"
        "    print(y.sum().item(), tuple(layer.weight.grad.shape))\n"
        "print(tconv.torch.functional.conv_transpose2d(x, w, None, 2, 1).sum().item())\n"
        "print(tconv.torch.plan(x, w, None, 2, 1))"
    )
    by_torch = f"by PyTorch's own operator: the engine {REASON}"
    assert found == ["270848.0 (16, 8, 4, 4)"] * 2 + ["270848.0", by_torch]


@linux
def test_a_process_that_gives_it_up_later():
    """What is loaded already runs on, what is new is computed by textbook methods."""
    found = printed(
        ARRAYS + "op = tconv.ConvTranspose(w, **given)\n"
        "print(op.plan(x).method, op(x).sum(), tconv.conv_transpose(x, w, **given).sum())"
        + GIVE_UP
        + "print(op.plan(x).method, op(x).sum(), tconv.conv_transpose(x, w, **given).sum())\n"
        "print(op.plan(x[..., :10]).method != 'jit', op(x[..., :10]).shape)"
    )
    assert found == ["jit 270848.0 270848.0"] * 2 + ["True (1, 8, 24, 20)"]


@linux
def test_threads_that_are_wanted_only_later():
    """Their code is loaded when they are first wanted, and kernels compute without."""
    found = printed(
        "import tconv\nfrom small_program import SmallProgram\nsmall = SmallProgram()\n"
        + GIVE_UP
        + "for _ in range(2): small.check(3)\n"
        "from tconv.jit.machine import launch\n"
        "print(launch._here.pool.size)"
    )
    assert found == ["0"]


def test_llvm_is_not_asked_in_place_of_the_loader(monkeypatch):
    def refuse(*_):
        raise Refused("on purpose")

    monkeypatch.setattr(loader, "load", refuse)
    monkeypatch.setattr(loader, "refusal", lambda: "the system refuses executable memory")
    with pytest.raises(compiler.Unavailable, match=r"^kernels cannot be run: the system refuses executable memory$"):
        tiny_kernel.fresh()


def test_llvm_is_not_asked_for_the_same_memory(monkeypatch):
    """A plan may be older than the refusal; LLVM would go on without memory, into a crash."""

    def refuse(*_):
        raise OSError(13, "the system refuses executable memory")

    monkeypatch.setattr(loader, "load", refuse)
    monkeypatch.setattr(compiler, "_by_llvm", lambda *_: pytest.fail("LLVM was asked"))
    with pytest.raises(compiler.Unavailable, match=r"^kernels cannot be run: the system refuses executable memory$"):
        tiny_kernel.fresh()
