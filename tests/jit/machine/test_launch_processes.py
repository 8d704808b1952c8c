"""Threads in whole processes: the environment, forks, workers, PyTorch imported late, and the end of a program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from needs import needs_forks, needs_proc, needs_quick_starts
from registry import needs_torch
from small_program import has_openmp

from tconv.jit.machine import isa

openmp = pytest.mark.skipif(not has_openmp(), reason="the system has no libgomp.so.1")


def run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own; one that hangs fails."""
    environment = {name: value for name, value in os.environ.items() if name != "TCONV_NUM_THREADS"}
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [environment.get("PYTHONPATH")])])
    environment |= {"PYTHONPATH": path, **variables}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


def printed(script: str, **variables: str) -> str:
    """What a program prints that ends well."""
    done = run(script, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_environment_counts_in_a_new_process():
    script = "import tconv; print(tconv.get_num_threads())"
    assert printed(script, TCONV_NUM_THREADS="3") == "3"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system ties no process to cores")
def test_a_process_that_may_use_one_core_takes_one_thread():
    script = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import tconv
print(tconv.get_num_threads())
"""
    assert printed(script) == "1"


FORK = """
import ctypes, os, tconv
from small_program import SmallProgram
from tconv.jit.machine import launch
small, how = SmallProgram(), {how}
tconv.set_num_threads(4)
if how:
    launch._here.openmp = launch._gomp_parallel(ctypes.CDLL("libgomp.so.1"))
small.check(4, **how)
child = os.fork()
if not child:
    assert tconv.get_num_threads() == 1
    small.check(4, **how)  # prepared for 4 threads, runs on one
    tconv.set_num_threads(3)
    assert launch.openmp_address() == 0
    small.check(3, **how)
    assert launch._here.pool.size == 2
    grandchild = os.fork()
    if not grandchild:
        assert tconv.get_num_threads() == 1
        tconv.set_num_threads(2)
        small.check(2, **how)
        os._exit(0)
    assert os.waitpid(grandchild, 0)[1] == 0
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert tconv.get_num_threads() == 4
small.check(4, **how)
print("right")
"""


@needs_forks
@pytest.mark.parametrize("how", [pytest.param({"openmp": True}, marks=openmp), {}], ids=["openmp", "pool"])
def test_a_forked_process_computes_after_its_parent_has(how):
    assert printed(FORK.format(how=how)) == "right"


@needs_forks
@openmp
@needs_proc
def test_a_forked_process_that_imports_tconv_itself_leaves_the_runtime_alone():
    script = """
import ctypes, os
runtime = ctypes.CDLL("libgomp.so.1")
runtime.GOMP_parallel(ctypes.CDLL(None).getpid, None, 4, 0)
child = os.fork()
if not child:
    import tconv
    from small_program import SmallProgram
    assert tconv.get_num_threads() == 1
    tconv.set_num_threads(4)
    SmallProgram().check(4, openmp=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("right")
"""
    assert printed(script) == "right"


@needs_forks
@needs_quick_starts
def test_workers_of_multiprocessing_compute():
    script = """
import multiprocessing, tconv
from small_program import SmallProgram, compute
tconv.set_num_threads(3)
SmallProgram().check(3)
for method in ("fork", "spawn"):
    with multiprocessing.get_context(method).Pool(2) as pool:
        print(method, sorted(set(pool.map(compute, [1, 2, 2, 3]))))
"""
    cores = isa.cores()
    assert printed(script) == f"fork [1]\nspawn [{cores}]"


@openmp
@needs_proc
@needs_torch
def test_pytorch_brings_the_runtime_that_its_calls_use():
    script = """
import os, tconv
from pathlib import Path
from small_program import SmallProgram
from tconv.jit.machine import launch
small = SmallProgram()
tconv.set_num_threads(2)
small.check(2, openmp=True)
assert launch.openmp_address() == 0 and launch._here.pool.size == 1

import torch
small.check(2, openmp=True)
start = launch.openmp_address()
spans = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
where = [(span.split("-"), rest) for span, *rest in spans]
[file] = [rest[-1] for (low, high), rest in where if int(low, 16) <= start < int(high, 16)]
loaded = {rest[-1] for _, rest in where if Path(rest[-1]).name.startswith("libgomp")}
assert loaded == {file}, (file, loaded)

torch.set_num_threads(2)  # starts a thread of PyTorch's other pool
before = len(os.listdir("/proc/self/task"))
torch.add(torch.ones(1 << 20), 1)
assert len(os.listdir("/proc/self/task")) == before, "PyTorch started threads of its own"
print("right")
"""
    assert printed(script) == "right"


FIRST_CALLS = """
import os, signal, sys, threading
import numpy as np
{torch}
import tconv

x, w = np.ones((1, 16, 24, 24), np.float32), np.ones((16, 8, 4, 4), np.float32)
{prepared}

def first():
    return float({call}.sum())

found = []
thread = threading.Thread(target=lambda: found.append(first()))
thread.start()
children = []
while len(children) < 12:
    child = os.fork()
    if not child:
        signal.alarm(30)  # what hangs is ended by it
        tconv.set_num_threads(2)
        os._exit(0 if first() == 16 * 8 * 24 * 24 * 16 else 1)
    children.append(child)
    thread.join(0.02)
print([os.waitpid(child, 0)[1] for child in children])
thread.join()
print(found == [first()])
"""
FUNCTION = {"torch": "", "prepared": "", "call": "tconv.conv_transpose(x, w, stride=2)"}
PREPARED = {"torch": "", "prepared": "operator = tconv.ConvTranspose(w, stride=2)", "call": "operator(x)"}
IN_TORCH = {
    "torch": "import torch, tconv.torch",
    "prepared": "x, w = torch.from_numpy(x), torch.from_numpy(w)",
    "call": "tconv.torch.functional.conv_transpose2d(x, w, stride=2)",
}


@needs_forks
@needs_quick_starts
@pytest.mark.parametrize(
    ("how", "times"),
    [
        pytest.param(FUNCTION, 2, id="function"),
        pytest.param(PREPARED, 1, id="prepared"),
        pytest.param(IN_TORCH, 1, id="torch", marks=needs_torch),
    ],
)
def test_children_forked_while_another_thread_makes_its_first_call_compute(how, times, tmp_path):
    """In the middle of imports, of LLVM, of packing; kernels are compiled, and the second time come from the cache."""
    for _ in range(times):
        done = printed(FIRST_CALLS.format(**how), TCONV_CACHE_DIR=str(tmp_path / "kernels"))
        assert done == f"{[0] * 12}\nTrue"


DAEMONS = """
import threading
import numpy as np
import tconv

tconv.set_num_threads(2)
x, w = np.ones((1, 256, 32, 32), np.float32), np.ones((256, 32, 4, 4), np.float32)
computed = threading.Semaphore(0)

def forever():
    while True:
        tconv.conv_transpose(x, w, stride=2)
        computed.release()

for _ in range(4):
    threading.Thread(target=forever, daemon=True).start()
for _ in range(8):
    computed.acquire()
"""


def test_a_program_ends_while_daemon_threads_compute():
    """What the interpreter frees on its way down is not what kernels read and write."""
    assert printed(DAEMONS) == ""


EXIT = """
import atexit, ctypes, sys, threading, tconv
from small_program import SmallProgram
from tconv.jit.machine import launch
small, how = SmallProgram(), {how}
tconv.set_num_threads(3)
if how:
    launch._here.openmp = launch._gomp_parallel(ctypes.CDLL("libgomp.so.1"))
started = threading.Event()

def forever():
    while True:
        small(3, **how)
        started.set()

threading.Thread(target=forever, daemon=True).start()
started.wait()

@atexit.register
def last():
    small.check(3, **how)
    print("right", flush=True)

sys.excepthook = lambda *_: None
raise ValueError("ends the program")
"""


@pytest.mark.parametrize("how", [pytest.param({"openmp": True}, marks=openmp), {}], ids=["openmp", "pool"])
def test_a_program_that_fails_while_threads_compute_ends(how):
    done = run(EXIT.format(how=how))
    assert (done.returncode, done.stdout, done.stderr) == (1, "right\n", "")
