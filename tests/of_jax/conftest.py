"""JAX for tests: skipped where it is not installed, in double precision where asked for, and compiled without haste."""

import pytest

jax = pytest.importorskip("jax", exc_type=ModuleNotFoundError)


@pytest.fixture
def double():
    """float64, which JAX has only when it is told."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_kept():
    """What XLA compiled for the tests of a file is some hundred megabytes."""
    yield
    jax.clear_caches()
