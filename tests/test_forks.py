"""A fork waits for who is in the middle of something, but not for ever."""

import subprocess
import sys

import pytest
from needs import needs_forks

pytestmark = needs_forks

PROGRAM = """
import os, signal, threading, time
from tconv import forks

begun, go_on, whole = threading.Event(), threading.Event(), []

def work():
    with forks.uninterrupted:
        begun.set()
        go_on.wait({seconds})
        whole.append(True)

def free():
    taken = forks.uninterrupted.acquire(timeout=20)
    if taken:
        forks.uninterrupted.release()
    return taken

forks.PATIENCE = {patience}
thread = threading.Thread(target=work)
thread.start()
begun.wait()
child = os.fork()
if not child:
    os._exit(10 * bool(whole) + free())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), whole)
go_on.set()
thread.join()
print(free())
"""


@pytest.mark.parametrize(
    ("seconds", "patience", "expected"),
    [(0.3, 20, "11 [True]\nTrue"), (20, 0.1, "1 []\nTrue")],
    ids=["it waits", "not for ever"],
)
def test_a_fork_waits(seconds, patience, expected):
    """The child finds the work done and the lock free; or at least the lock, where the work never ends."""
    program = PROGRAM.format(seconds=seconds, patience=patience)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == expected


def test_who_forks_in_the_middle_of_it_goes_on():
    program = """
import os
from tconv import forks
with forks.uninterrupted:
    child = os.fork()
    if not child:
        forks.uninterrupted.release()
        os._exit(forks.uninterrupted._is_owned())
print(os.waitpid(child, 0)[1], forks.uninterrupted._is_owned())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "0 False"
