"""`tconv solve`: the table, the reason where there is none, and wrong questions."""

import json

import pytest

pytestmark = pytest.mark.quick


def test_solve(run):
    expected = """\
coarse 32 -> fine 64

    kernel   stride   padding   output padding   coverage
────────────────────────────────────────────────────────────────────────
1        2        2         0                0   even, 1 tap a position
2        4        2         1                0   even, 2 taps a position
3        4        2    (0, 2)                0   even, 2 taps a position

the first 3; more with --limit
"""
    assert run("solve --coarse 32 --fine 64 --limit 3") == (0, expected, "")


def test_solve_says_why_coverage_is_uneven(run):
    code, out, _ = run("solve --scale 2 --kernel 3 --dilation 3 --limit 2")
    assert code == 0
    assert out.startswith("fine = 2 * coarse, dilation 3\n")
    assert (
        "1, 2  kernel 3 is no multiple of stride 2: 1 in every 2 fine positions get 2\n      taps, the rest 1\n" in out
    )


def test_solve_as_json(run_json):
    found = run_json("solve --coarse 7x7 --fine 14x21 --padding 0 --limit 2")
    assert found["question"] == "coarse 7x7 -> fine 14x21"
    assert found["reason"] == ""
    assert found["complete"] is False
    for solution in found["solutions"]:
        assert solution["padding"] == [[0, 0], [0, 0]]
        assert (solution["coarse"], solution["fine"]) == ([7, 7], [14, 21])
        assert isinstance(solution["even"], bool)


def test_solve_without_an_answer_fails_with_the_reason(run):
    given = "solve --coarse 32 --fine 70 --kernel 3 --stride 2 --padding 1"
    code, out, err = run(given)
    assert (code, out) == (1, "")
    assert err.startswith("tconv solve: coarse 32 -> fine 70: no parameters fit; ")
    assert "63, 64" in err
    code, out, err = run(given, "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["solutions"] == []
    assert "63, 64" in json.loads(out)["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--kernel 3", "two of --coarse, --fine and --scale must be given, or --scale alone; got none of them"),
        ("--coarse 3", "two of --coarse, --fine and --scale must be given, or --scale alone; got --coarse alone"),
        ("--scale 1.5", "--scale must be an integer where no size is given: 3/2 holds at some sizes only"),
        ("--coarse 33 --scale 1.5", "--scale must lead to a whole size; scale * coarse = 3/2 * 33 is 99/2"),
        ("--fine 49 --scale 3/2", "--scale must lead to a whole size; fine / scale = 49 / (3/2) is 98/3"),
        ("--coarse 4 --scale two", "--scale must be a number or one for each axis, such as 2, 1.5 or 3/2; got 'two'"),
        ("--scale 2 --limit 1e3", "--limit must be an integer of at least 1; got '1e3'\n"),
        (
            "--scale 2x2 --padding 0 --output-padding 0x-1",
            "--output-padding of axis 1 must be an integer of at least 0; ",
        ),
        ("--scale 2 --limit 0", "--limit must be an integer of at least 1; got 0"),
        (
            "--scale 2 --padding same",
            "--padding must be integers or (low, high) pairs of them, or left out to be found; ",
        ),
        ("--scale 2 --max-kernel x", "--max-kernel must be an integer of at least 1; got 'x'\n"),
    ],
)
def test_wrong_questions_are_usage_errors(run, arguments, message):
    code, out, err = run("solve", *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"tconv solve: {message}")


def test_a_limit_beyond_all_counting_is_no_limit(run_json):
    found = run_json("solve --coarse 2 --fine 4 --limit 99999999999999999999999")
    assert found["complete"] is True
