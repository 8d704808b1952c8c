"""What schedules can be is written down, and every combination has cases: `tests/fuzz/table.py` says how."""

from collections import defaultdict

from tests.fuzz import table

#: Cases drawn to see whether something appears that is not in the table.
COUNT = 400
#: Combinations in fewer than 20 of 400,000 cases: all but five are weight gradients of single cells.
RARE = 21
AGAIN = "python -m tests.fuzz --table 400000 writes the table anew"


def test_every_combination_has_the_case_that_is_listed():
    listed = defaultdict(set)
    for combination, found in table.read().items():
        listed[found.first].add(combination)
    missing = {number: wanted - table.reached(number) for number, wanted in listed.items()}
    assert {number: gone for number, gone in missing.items() if gone} == {}, AGAIN


def test_hardly_any_combination_is_rare():
    assert sum(found.often < table.ENOUGH for found in table.read().values()) <= RARE


def test_nothing_appears_that_is_not_listed():
    known = table.read().keys()
    found = set().union(*map(table.reached, range(COUNT)))
    assert found - known == set(), AGAIN
    assert len(found) > len(known) / 3
