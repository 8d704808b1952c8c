"""How hypothesis runs: the same examples every time, wherever it runs; what is random runs in `python -m tests.fuzz`.

How threads of OpenMP wait. Where compiled kernels are kept: with pytest's own cache, so that no test touches the user's
and the next run is quick. And which tests workers of pytest-xdist leave to processes of their own, and how much memory
the workers took.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from apart import FRAMEWORKS, LEFT, LOADED
from hypothesis import settings

try:
    import resource
except ModuleNotFoundError:  # Windows does not count memory that way
    resource = None

# Threads of OpenMP wait asleep. Spinning, those of PyTorch keep the cores from each other where several workers have as
# many threads as there are cores: tests of derivatives took four times the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# No deadline: on a shared machine a slow example says nothing about the code.
settings.register_profile("same", deadline=None, max_examples=60, derandomize=True, database=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)  # pytest --hypothesis-profile=thorough
settings.load_profile("same")


def pytest_addoption(parser):
    """For `jit/test_golden.py` and `draw/test_draw_golden.py`."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write golden files anew",
    )


@pytest.fixture(scope="session", autouse=True)
def kernels_of_tests(request, tmp_path_factory):
    """The folder of compiled kernels for all tests, all workers, and the processes that they start.

    tconv makes it, private as it has to be; pytest's own folders are as open as the umask says.
    """
    cache = getattr(request.config, "cache", None)  # absent under -p no:cacheprovider
    above = Path(cache.mkdir("tconv")) if cache else tmp_path_factory.mktemp("tconv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TCONV_CACHE_DIR", str(above / "kernels"))
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of compiled kernels for this test alone, which does not exist yet."""
    from tconv.jit.machine import cache

    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / "above" / "kernels"))
    monkeypatch.setattr(cache, "_distrusted", {})
    monkeypatch.setattr(cache, "_room", {})
    return tmp_path / "above" / "kernels"


@pytest.fixture(scope="module")
def lightly_compiled():
    """XLA's optimizations take most of the time of small tests; results differ by rounding only."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tell a worker whether all tests are run, or all quick ones, rather than those of names that were given."""
    option, source = node.config.option, node.config.args_source
    everything = source is pytest.Config.ArgsSource.TESTPATHS and not option.keyword
    node.workerinput["apart"] = everything and option.markexpr in ("", "quick")


def _apart(config):
    """Whether this is a worker that leaves the files of `apart.py` to processes of their own."""
    return getattr(config, "workerinput", {}).get("apart", False)


def pytest_ignore_collect(collection_path, config):
    """Of all tests, workers do not even load what `apart.py` names."""
    return True if _apart(config) and collection_path in LEFT else None


def pytest_collection_modifyitems(config, items):
    """Tests that are processes, the longest, are spread over the first half, so that no worker is left with one alone.

    Where the files are collected here there are none.
    """
    apart = [item for item in items if item.get_closest_marker("apart")]
    items[:] = [item for item in items if item not in apart]
    if not _apart(config):
        config.hook.pytest_deselected(items=apart)
        return
    for number, item in enumerate(apart):
        items.insert(number * len(items) // (2 * len(apart)), item)


def pytest_collection_finish(session):
    """Keep which frameworks are loaded by now: in a worker there is to be none (`test_apart.py`)."""
    session.config.stash[LOADED] = FRAMEWORKS & set(sys.modules)


def pytest_sessionfinish(session):
    """A worker says how many bytes it took at most, and the largest process that it started; and what it loaded."""
    if resource and hasattr(session.config, "workeroutput"):
        kilobyte = 1 if sys.platform == "darwin" else 1024
        peaks = [
            resource.getrusage(who).ru_maxrss * kilobyte for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        session.config.workeroutput["told"] = [*peaks, sorted(FRAMEWORKS & set(sys.modules))]


_told = []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Keep what a worker says."""
    _told.append(getattr(node, "workeroutput", {}).get("told", (0, 0, ())))


def pytest_terminal_summary(terminalreporter):
    """What all workers said."""
    if _told:
        *peaks, loaded = zip(*_told, strict=True)
        own, started = (", ".join(f"{peak / 1e6:.0f}" for peak in each) for each in peaks)
        terminalreporter.write_line(f"peak memory of the workers in MB: {own}; of what they started: {started}")
        if names := sorted(set().union(*loaded)):
            terminalreporter.write_line(f"workers loaded {', '.join(names)}: such tests belong to a group of apart.py")
