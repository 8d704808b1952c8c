"""`tconv size`: how its options are read, and what it prints."""

import pytest

pytestmark = pytest.mark.quick


def test_size_from_either_side(run):
    expected = """\
fine 64 <-> coarse 32: kernel 4, stride 2, padding 1

convolution     fine 64 -> coarse 32
transposed      coarse 32 -> fine 64
output padding  0
fine sizes      64 and 65 both become 32
"""
    window = ("--kernel", 4, "--stride", 2, "--padding", 1)
    assert run("size", "--coarse", 32, *window) == (0, expected, "")
    assert run("size", "--fine", 64, *window) == (0, expected, "")


def test_size_of_several_axes(run):
    code, out, err = run("size", "--coarse", "5x7", "--kernel", "3,4", "--stride", 2, "--output-padding", "1x0")
    assert (code, err) == (0, "")
    assert (
        out
        == """\
fine 12x16 <-> coarse 5x7: kernel 3x4, stride 2, padding 0, output padding 1x0

convolution     fine 12x16 -> coarse 5x7
transposed      coarse 5x7 -> fine 12x16
output padding  1x0
fine sizes      11 and 12 both become 5; 16 and 17 both become 7
"""
    )


def test_size_as_json(run_json):
    given = ("size", "--coarse", "32x20", "--kernel", "4x3", "--stride", 2, "--padding", "1:2x0:1", "--dilation", "1x2")
    assert run_json(*given) == {
        "coarse": [32, 20],
        "fine": [63, 42],
        "kernel": [4, 3],
        "stride": [2, 2],
        "padding": [[1, 2], [0, 1]],
        "output_padding": [0, 0],
        "dilation": [1, 2],
        "fine_sizes": [{"smallest": 63, "largest": 64}, {"smallest": 42, "largest": 43}],
    }


@pytest.mark.parametrize(
    ("given", "fine"),
    [
        (("--padding", "same"), [64]),
        (("--padding", "VALID"), [66]),
        (("--padding", "1:2"), [63]),
        (("--padding", "-1"), [68]),
        (("--padding", "0:-1"), [67]),
        (("--output-padding", "1"), [67]),
        (("--output-size", "67"), [67]),
        (("--dilation", "3"), [72]),
        (("--stride", "2x3"), [66, 97]),
        (("--padding", "1:2", "--kernel", "4x4"), [63, 63]),
    ],
)
def test_size_reads_every_option(run_json, given, fine):
    window = {"--kernel": "4", "--stride": "2"} | dict(zip(given[::2], given[1::2], strict=True))
    assert run_json("size", "--coarse", 32, *(text for pair in window.items() for text in pair))["fine"] == fine


@pytest.mark.parametrize("size", ["32x48", "32,48", "32*48", "32×48", "(32, 48)", "[32,48]", " 32 x 48 ", "(32, 48,)"])
def test_sizes_are_read_as_people_write_them(run_json, size):
    assert run_json("size", "--coarse", size, "--kernel", "4", "--stride", "(2, 2)")["coarse"] == [32, 48]


@pytest.mark.parametrize(
    ("padding", "pairs"),
    [("(1, 2)", [[1, 1], [2, 2]]), ("((1, 2), (0, 1))", [[1, 2], [0, 1]]), ("[[1,2],[0,1]]", [[1, 2], [0, 1]])],
)
def test_paddings_are_read_as_python_writes_them(run_json, padding, pairs):
    assert run_json("size", "--coarse", "32x48", "--kernel", "4", "--padding", padding)["padding"] == pairs


def test_channels_among_the_sizes_are_remarked_on(run):
    code, out, err = run("size", "--coarse", "64x48x3", "--kernel", 4, "--stride", 2)
    assert (code, err) == (0, "")
    assert out.endswith("\nNote: 64x48x3 has 3 axes of size; if 3 counts channels, the size is 64x48\n")
    assert "Note" not in run("size", "--coarse", "64x48x16", "--kernel", 4)[1]


def test_size_is_exact_where_floating_point_is_not(run_json):
    assert run_json("size", "--coarse", 10**30 + 1, "--kernel", 3, "--stride", 7)["fine"] == [7 * 10**30 + 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--kernel 3", "one of --coarse and --fine must be given; got neither"),
        (
            "--kernel 3 --coarse 4 --fine 8",
            "one of --coarse and --fine must be given; got both; --output-size names the other one, and `tconv solve` "
            "finds what ties two sizes",
        ),
        ("--coarse 4", "--kernel must be given"),
        (
            "--coarse 4 --kernel 3.5",
            "--kernel must be an integer or one for each axis, such as 4 or 4x3; got '3.5'",
        ),
        (
            "--coarse 4 --kernel 3 --stride 0.5",
            "--stride must be an integer or one for each axis, such as 4 or 4x3; got '0.5'; stride 2 of a transposed "
            "convolution is what texts call a fractional stride 1/2",
        ),
        (
            "--coarse 4 --kernel 3 --stride 1/3x1",
            "--stride must be an integer or one for each axis, such as 4 or 4x3; got '1/3x1'; stride 3 of a transposed "
            "convolution is what texts call a fractional stride 1/3",
        ),
        ("--coarse 4x --kernel 3", "--coarse must be an integer or one for each axis, such as 4 or 4x3; got '4x'"),
        ("--coarse 4 --kernel 0", "--kernel must be an integer of at least 1; got 0"),
        (
            "--coarse 4x4 --kernel 3x3x3",
            "--kernel must be an integer or a sequence of 2 integers, one an axis; got (3, 3, 3)",
        ),
        (
            "--coarse 4 --kernel 3 --padding 1:2:3",
            '--padding must be an integer or a low:high pair, such as 1, 1x0 or 1:2, or "same" or "valid"; '
            "got '1:2:3'",
        ),
        (
            "--coarse 4 --kernel 3 --stride 2 --output-padding 2",
            "--output-padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2",
        ),
        (
            "--coarse 4 --kernel 3 --stride 2 --output-size 9x8",
            "--output-size must be one of 9, 10 for coarse size 4; got 8 (axis 1)",
        ),
        (
            "--coarse 4 --kernel 3 --stride 2 --output-size 8",
            "--output-size must be one of 9, 10 for coarse size 4; got 8",
        ),
        ("--coarse 4 --kernel 3 --padding 9", "--padding must leave at least 1 cell; (9, 9) crops coarse size 4 to "),
        (
            "--fine 2 --kernel 5",
            "--kernel must fit into the padded size: kernel 5 with dilation 1 spans 5 cells, size 2 with padding "
            "(0, 0) has 2",
        ),
    ],
)
def test_wrong_sizes_are_usage_errors(run, arguments, message):
    code, out, err = run("size", *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"tconv size: {message}")
    assert err.endswith("\nTry 'tconv size --help'.\n")
    assert "Traceback" not in err
