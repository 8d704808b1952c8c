"""PyTorch for tests: skipped where it is not installed; what it says of its own older parts is no error of tconv's."""

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)


def pytest_collection_modifyitems(items):
    for item in items:
        if "of_torch" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def by_engine():
    """Calls that are so small that PyTorch is done sooner are the engine's in tests, but for those of that choice."""
    from tconv.torch import choice, engine

    engine._calls.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "TINY", 0)
        patch.setattr(choice, "SHORT", 0)
        yield
    engine._calls.clear()
