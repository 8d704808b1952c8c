"""PyTorch for tests: skipped where it is not installed; what it says of its own older parts is no error of tconv's."""

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)


def pytest_collection_modifyitems(items):
    for item in items:
        if "of_torch" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning"))


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


@pytest.fixture
def all_win(monkeypatch):
    """For `accelerate`, every layer and every model is twice as fast, and nothing is timed."""
    from tconv.measuring.contest import ORIGINAL
    from tconv.torch import both_ways, closing

    def in_turns(runs, first, effort, timer=None):
        return {ORIGINAL: [2.0] * effort.rounds, both_ways.OURS: [1.0] * effort.rounds}

    for who in (both_ways, closing):
        monkeypatch.setattr(who, "in_turns", in_turns)
    monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 0.0)


@pytest.fixture
def fused(monkeypatch):
    """For each run that came by, how many members were computed in one call."""
    from tconv.torch.fusing import call, sequences

    found = []

    def computed(run, x, kept):
        result = call.computed(run, x, kept)
        found.append(0 if result is None else len(run.members))
        return result

    monkeypatch.setattr(sequences, "computed", computed)
    return found


@pytest.fixture
def replaced(monkeypatch):
    """The calls of functions that a mode has replaced."""
    from tconv.torch import accelerated

    calls = []

    def counted(name, function):
        def call(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        return call

    for theirs, mine in list(accelerated.CALLS.items()):
        monkeypatch.setitem(accelerated.CALLS, theirs, counted(theirs.__name__, mine))
    return calls
