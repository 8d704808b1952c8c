"""`tconv chain`: what is printed of layers one after the other, and wrong ones."""

import pytest

pytestmark = pytest.mark.quick

DECODER = "chain --size 80 conv:kernel=7,padding=3 conv_transpose:kernel=16,stride=8,padding=4"


def test_chain(run):
    expected = """\
80 -> 640

scale             8
receptive field   8
projective field  64
alignment         8

link   operation        from   to    window
───────────────────────────────────────────────────────────────────
0      conv             80     80    kernel 7, stride 1, padding 3
1      conv_transpose   80     640   kernel 16, stride 8, padding 4
"""
    assert run(DECODER) == (0, expected, "")


def test_a_box_of_the_result(run):
    code, out, _ = run(DECODER, "--box", "320:480")
    assert code == 0
    assert out.endswith("""
The box 320:480 needs the cells 36:64 of the input

link   operation        from   to    window
────────────────────────────────────────────────────────────────────
0      conv             28     22    kernel 7, stride 1, padding 0
1      conv_transpose   22     160   kernel 16, stride 8, padding 12
""")


def test_a_box_that_needs_nothing(run, run_json):
    gaps = "chain --size 4 conv_transpose:kernel=1,stride=4 --box 1:3"
    said = "\nThe box 1:3 needs no cell of the input: biases and activations make it.\n"
    assert run(gaps)[1].endswith(said)
    assert run_json(gaps)["box"] == {"cells": [[0, 0]], "local": None}


def test_chain_as_json(run_json):
    found = run_json("chain --size 8x9 conv:kernel=3x2 conv-transpose:kernel=4,stride=2x3,padding=1:0 --box 0:3x2:4")
    assert (found["input"], found["output"], found["scale"]) == ([8, 9], [13, 24], ["2", "3"])
    assert [link["operation"] for link in found["links"]] == ["conv", "conv_transpose"]
    assert found["links"][1]["padding"] == [[1, 0], [1, 0]]
    assert found["box"]["local"]["output"] == [3, 2]
    assert found["box"]["local"]["input"] == [stop - start for start, stop in found["box"]["cells"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "convv:kernel=3",
            "layer 0, 'convv:kernel=3': the operation must be one of \"conv\", \"conv_transpose\"; got 'convv'",
        ),
        ("conv", "layer 0, 'conv': kernel must be given, such as conv:kernel=4"),
        (
            "conv:kernel=1 conv:kernel=9,padding=1",
            "layer 1, 'conv:kernel=9,padding=1': kernel must fit into the padded size: kernel 9 with dilation 1 spans "
            "9 cells, size 5 with padding (1, 1) has 7",
        ),
        (
            "conv:kernel=3,size=2",
            "layer 0, 'conv:kernel=3,size=2': values must be NAME=VALUE, each of kernel, stride, padding, "
            "output_padding, dilation at most once; got 'size=2'",
        ),
        (
            "conv:kernel=3,kernel=3",
            "layer 0, 'conv:kernel=3,kernel=3': values must be NAME=VALUE, each of kernel, stride, padding, "
            "output_padding, dilation at most once; got 'kernel=3'",
        ),
        (
            "conv:kernel=a",
            "layer 0, 'conv:kernel=a': kernel must be an integer or one for each axis, such as 4 or 4x3; got 'a'",
        ),
        ("conv:kernel=3 --box 0", "--box must be start:stop for each axis, such as 0:64x64:128; got '0'"),
        ("conv:kernel=3 --box a:3", "--box must be an integer of at least 0; got 'a'"),
        ("conv:kernel=3 --box 0:9", "--box[0][1] must be more than box[0][0] = 0 and at most 3; got 9"),
        ("conv:kernel=3 --box 0:1x0:1", "--box must have 1 pair (start, stop), one an axis; got [(0, 1), (0, 1)]"),
    ],
)  # fmt: skip
def test_wrong_layers(run, arguments, message):
    assert run("chain --size 5", *arguments.split()) == (
        2, "", f"tconv chain: {message}\nTry 'tconv chain --help'.\n",
    )  # fmt: skip
