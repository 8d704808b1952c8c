"""How hypothesis runs: the same examples every time, wherever it runs; what is random runs in `python -m tests.fuzz`.

And where compiled kernels are kept: with pytest's own cache, so that no test touches the user's and the next run is
quick.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: on a shared machine a slow example says nothing about the code.
settings.register_profile("same", deadline=None, max_examples=60, derandomize=True, database=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)  # pytest --hypothesis-profile=thorough
settings.load_profile("same")


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
