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


def timed(monkeypatch, seconds):
    """For `accelerate`, contestants take so many seconds, and nothing is timed."""
    from tconv.torch import both_ways, closing

    def in_turns(runs, first, effort, timer=None):
        return {name: [took] * effort.rounds for name, took in seconds.items() if name in runs}

    for who in (both_ways, closing):
        monkeypatch.setattr(who, "in_turns", in_turns)
    monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 0.0)


@pytest.fixture
def all_win(monkeypatch):
    """For `accelerate`, every layer and every model is twice as fast by the definition, and nothing is timed."""
    from tconv.measuring.contest import ORIGINAL
    from tconv.torch.both_ways import OURS

    timed(monkeypatch, {ORIGINAL: 2.0, OURS: 1.0})


@pytest.fixture
def took(monkeypatch):
    """The same with minimal filtering, twice as fast again; a test may change who takes how many seconds."""
    from tconv.measuring.contest import ORIGINAL
    from tconv.torch.both_ways import OURS, WINOGRAD

    seconds = {ORIGINAL: 4.0, OURS: 2.0, WINOGRAD: 1.0}
    timed(monkeypatch, seconds)
    return seconds


@pytest.fixture
def recorded(monkeypatch):
    """Replace a function by one that keeps what is told of each call, by its result and what it was given."""

    def record(module, name, told):
        function, found = getattr(module, name), []

        def call(*given):
            result = function(*given)
            found.append(told(result, *given))
            return result

        monkeypatch.setattr(module, name, call)
        return found

    return record


@pytest.fixture
def fused(recorded):
    """For each run that came by, how many members were computed in one call."""
    from tconv.torch.fusing import sequences

    return recorded(sequences, "computed", lambda result, run, *_: 0 if result is None else len(run.members))


@pytest.fixture
def by_kernel(recorded):
    """For each call of a module alone, whether a kernel computed it."""
    from tconv.torch.fusing import alone

    return recorded(alone, "computed", lambda result, *_: result is not None)


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
