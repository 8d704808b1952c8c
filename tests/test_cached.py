"""Values that are computed when they are first asked for."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tconv.cached import cached_property


class Slow:
    def __init__(self, before=lambda: None):
        self.before, self.times = before, 0

    @cached_property
    def value(self):
        """Some value."""
        self.before()
        self.times += 1
        return [self.times]


def test_a_value_is_computed_once():
    slow = Slow()
    assert slow.value is slow.value
    assert slow.times == 1


def test_the_class_has_the_property_itself():
    assert isinstance(Slow.value, cached_property)
    assert Slow.value.__doc__ == "Some value."


def test_nobody_waits_for_the_value_of_another_instance():
    """A forked child would wait for ever: the thread that computes is not in it."""
    begun, go_on = threading.Event(), threading.Event()

    def before():
        begun.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: Slow(before).value)
        assert begun.wait(60)
        second = pool.submit(lambda: Slow().value)
        try:
            assert second.result(timeout=10) == [1]
        finally:
            go_on.set()
        assert first.result() == [1]


def test_threads_that_compute_at_once_get_one_value():
    together = threading.Barrier(2)
    slow = Slow(together.wait)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: slow.value, range(2))
    assert first is second
