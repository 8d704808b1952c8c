"""How many threads a task of Dask computes with."""

from __future__ import annotations

import os
import sys
import threading

from tconv.jit.machine import launch


def of_a_task() -> int:
    """How many threads a task computes with: tasks run side by side already, a thread of Dask's each.

    One; in a worker of a cluster as many as its nanny has set for libraries (OMP_NUM_THREADS, 1 unless configured);
    the setting of tconv where tasks run one after the other in the main thread.
    """
    if threading.current_thread() is threading.main_thread():
        return launch.MOST_THREADS
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) and _in_a_cluster() else 1


def _in_a_cluster() -> bool:
    """Whether a worker of a cluster runs this task."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True
