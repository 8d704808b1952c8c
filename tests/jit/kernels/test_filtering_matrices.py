"""The matrices of minimal filtering: exact identities, in rational numbers."""

from fractions import Fraction
from random import Random

import pytest

from tconv.jit.kernels.filtering import POINTS, transforms

pytestmark = pytest.mark.quick

EVERY = [(m, n - m + 1) for n in range(1, len(POINTS) + 1) for m in range(1, n + 1)]


def times(matrix, vector):
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize(("outputs", "taps"), EVERY)
def test_outputs_are_those_of_the_filter(outputs, taps):
    pick, of = Random(outputs * 10 + taps), transforms(outputs, taps)
    d = [Fraction(pick.randint(-9, 9)) for _ in range(of.points)]
    g = [Fraction(pick.randint(-9, 9), pick.randint(1, 9)) for _ in range(taps)]
    products = [a * b for a, b in zip(times(of.weights, g), times(of.data, d), strict=True)]
    found = times(zip(*of.results, strict=True), products)
    assert found == [sum(g[j] * d[i + j] for j in range(taps)) for i in range(outputs)]


@pytest.mark.parametrize(("outputs", "taps"), EVERY)
def test_matrices_of_data_and_results_are_exact_in_floating_point(outputs, taps):
    of = transforms(outputs, taps)
    for row in (*of.data, *of.results):
        assert all(Fraction(float(number)) == number for number in row)
    assert all(next(number for number in reversed(row) if number) == 1 for row in of.data)


def test_points_are_as_many_as_they_say_and_differ():
    for count, points in POINTS.items():
        assert len(set(points)) == len(points) == count
