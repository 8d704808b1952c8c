"""A folder of compiled kernels for one test, and how often LLVM is called."""

import pytest

from tconv.jit import cache
from tconv.jit import compile as compiler


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for this test alone, which does not exist yet."""
    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / "above" / "kernels"))
    monkeypatch.setattr(cache, "_distrusted", {})
    return tmp_path / "above" / "kernels"


@pytest.fixture
def compiled(monkeypatch):
    """How often LLVM compiled, as a list that grows."""
    times, original = [], compiler._compiled
    monkeypatch.setattr(compiler, "_compiled", lambda *given: times.append(given) or original(*given))
    return times
