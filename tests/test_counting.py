"""Counts in closed form equal those of a list."""

from hypothesis import given
from hypothesis import strategies as st

from tconv.counting import floor_sum, pairs_up_to

small = st.integers(0, 12)
positive = st.integers(1, 12)


@given(small, small, small, positive)
def test_floor_sum(n, a, b, m):
    assert floor_sum(n, a, b, m) == sum((a * i + b) // m for i in range(n))


@given(st.integers(-30, 200), positive, positive, positive, positive)
def test_pairs_up_to(limit, n, s, k, d):
    assert pairs_up_to(limit, n, s, k, d) == sum(c * s + t * d <= limit for c in range(n) for t in range(k))


def test_huge_counts():
    assert floor_sum(10**30, 3, 1, 2) == (3 * (10**30 - 1) * 10**30 // 2 + 10**30 - 10**30 // 2) // 2
    assert pairs_up_to(10**60, 10**30, 1, 10**25, 1) == 10**55
