"""Lattice points counted without listing them, so that a count is exact and fast at any size."""

from __future__ import annotations


def floor_sum(n: int, a: int, b: int, m: int) -> int:
    """The sum of (a * i + b) // m over 0 <= i < n, in about log(m) steps, for a, b >= 0 and m >= 1.

    Whole multiples of m are taken out; what is left are the lattice points below a line, and exchanging its axes gives
    a smaller problem of the same kind, as in Euclid's algorithm (R. L. Graham, D. E. Knuth and O. Patashnik, "Concrete
    Mathematics", section 3.5).
    """
    total = 0
    while True:
        total += (n - 1) * n // 2 * (a // m) + n * (b // m)
        a, b = a % m, b % m
        top = a * n + b
        if top < m:
            return total
        n, b, a, m = top // m, top % m, m, a


def pairs_up_to(limit: int, n: int, s: int, k: int, d: int) -> int:
    """How many pairs 0 <= c < n, 0 <= t < k have c * s + t * d <= limit."""
    a, b = n * s, k * d
    whole, beyond = _quadrant(limit, s, d), _quadrant(limit - a - b, s, d)
    return whole - _quadrant(limit - a, s, d) - _quadrant(limit - b, s, d) + beyond


def _quadrant(limit: int, s: int, d: int) -> int:
    """How many pairs c, t >= 0 have c * s + t * d <= limit."""
    if limit < 0:
        return 0
    last = limit // s
    return floor_sum(last + 1, s, limit % s, d) + last + 1
