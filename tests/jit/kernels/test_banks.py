"""Banks of filters: exact identities, in rational numbers."""

from fractions import Fraction
from random import Random

import pytest

from tconv.jit.kernels.banks import Bank, matrices, single
from tconv.jit.kernels.filtering import transforms

pytestmark = pytest.mark.quick

BANKS = [
    Bank(1, ((0, 1), (0, 2))),
    Bank(2, ((1, 1), (0, 2))),
    Bank(4, ((0, 2), (1, 1))),
    Bank(3, ((0, 3), (0, 2))),
    Bank(2, ((0, 2), (1, 2), (1, 1))),
    Bank(4, ((0, 1), (0, 1))),
]


def times(matrix, vector):
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize("bank", BANKS)
def test_results_of_all_filters_interleave(bank):
    pick, of = Random(len(BANKS)), matrices(bank)
    d = [Fraction(pick.randint(-9, 9)) for _ in range(bank.cells)]
    g = [Fraction(pick.randint(1, 9), pick.randint(1, 9)) for _ in range(bank.taps)]
    products = [a * b for a, b in zip(times(of.weights, g), times(of.data, d), strict=True)]
    assert len(products) == bank.points
    wanted, rest = [], g
    for first, taps in bank.filters:
        mine, rest = rest[:taps], rest[taps:]
        wanted.append([sum(mine[j] * d[first + i + j] for j in range(taps)) for i in range(bank.outputs)])
    found = times(zip(*of.results, strict=True), products)
    assert found == [of_phase[i] for i in range(bank.outputs) for of_phase in wanted]


def test_a_bank_of_one_filter_is_that_filter():
    assert matrices(single(4, 3)) == transforms(4, 3)[2:]
    assert (single(4, 3).points, single(4, 3).cells, single(4, 3).results, single(4, 3).taps) == (6, 6, 4, 3)


def test_one_tap_and_two_take_a_product_more_than_results():
    assert [Bank(m, ((0, 1), (0, 2))).points for m in (1, 2, 3, 4)] == [3, 5, 7, 9]


def test_what_has_one_tap_is_multiplied_as_it_is():
    of = transforms(4, 1)
    assert of.data == of.results == tuple(tuple(Fraction(int(i == j)) for j in range(4)) for i in range(4))
    assert of.weights == ((1,),) * 4
