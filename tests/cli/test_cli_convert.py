"""`tconv convert`: parameters in either form, the code that comes out, and what is refused."""

import pytest

from tconv.conventions import DIALECTS

CONVERTED = """\
import torch

w = kernel.transpose(3, 2, 0, 1)  # from (*kernel, Cout, Cin)
# x and y: (N, channels, *size)
# w: (Cin, Cout/groups, *kernel)
layer = torch.nn.ConvTranspose2d(16, 8, kernel_size=4, stride=2, padding=1)
with torch.no_grad():
    layer.weight.copy_(torch.as_tensor(w))
    layer.bias.copy_(torch.as_tensor(b))
y = layer(x)
"""


@pytest.mark.parametrize(
    "given",
    [
        "--kernel 4 --stride 2 --padding same --out-channels 8 --in-channels 16",
        "kernel_size=4 strides=2 padding=same filters=8 --in-channels 16",
        "kernel_size=(4,4) strides=2x2 padding='same' --out-channels 8 --in-channels 16 --ndim 2",
        '{"filters":8,"kernel_size":[4,4],"strides":[2,2],"padding":"same","trainable":true} --in-channels 16',
        "{'filters':8,'kernel_size':(4,4),'strides':(2,2),'activation':None} padding=same --in-channels 16",
    ],
)
def test_convert_by_options_or_by_the_names_of_the_source(run, given):
    assert run("convert --from keras --to torch", *given.split()) == (0, CONVERTED, "")
    assert run("convert --from tf --to PyTorch", *given.split()) == (0, CONVERTED, "")


@pytest.mark.parametrize("word", ["false", "False"])
def test_booleans_as_the_source_writes_them(run_json, word):
    said = run_json(f"convert --from caffe --to torch kernel_size=4 num_output=2 bias_term={word}")
    assert said["parameters"]["bias"] is False


def test_convert_as_json(run_json):
    said = run_json("convert --from onnx --to keras --kernel 4 --stride 2 --padding 1:2")
    assert {name: said[name] for name in ("dialect", "exact", "kernel", "crop", "pad")} == {
        "dialect": "keras",
        "exact": True,
        "kernel": [4, 4],
        "crop": [[0, 0], [0, 0]],
        "pad": [[0, 0], [0, 0]],
    }
    assert said["parameters"]["output_padding"] == [1, 1]
    assert said["code"].startswith("import keras\n")


@pytest.mark.parametrize(
    ("source", "word"), [("torch", "1"), ("onnx", "1"), ("caffe", "1"), ("tconv", "1"), ("jax", "2")]
)
def test_a_padding_is_handed_over_in_the_form_of_its_source(run_json, source, word):
    said = run_json("convert", "--from", source, "--to", "tconv", "--kernel", 4, "--stride", 2, "--padding", word)
    assert said["parameters"]["padding"] == [[1, 1], [1, 1]]


def test_notes_are_comments_below_the_code(run):
    code, out, _ = run("convert --from tconv --to torch --kernel 4 --stride 2 --padding 0:1")
    assert code == 0
    assert "\n# Note: " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--from kers --to torch --kernel 4",
            f"--from must be one of {', '.join(DIALECTS)}; got 'kers'",
        ),
        (
            "--from keras --to pt --kernel 4",
            f"--to must be one of {', '.join(DIALECTS)}; got 'pt'",
        ),
        (
            "--from keras --to torch kernel=4",
            'parameters must be named "filters", "kernel_size", "strides", "padding", "output_padding", "data_format", '
            '"dilation_rate", "use_bias"; got \'kernel\'',
        ),
        (
            "--from keras --to torch kernel_size=()",
            "kernel_size must have an entry for each axis, from 1 to 30 of them; got 0",
        ),
        (
            "--from tconv --to torch --kernel 3 stride=[]",
            "--stride must have an entry for each axis, from 1 to 30 of them; got 0",
        ),
        (
            "--from keras --to torch kernel_size=3 strides=" + "9" * 5000,
            "strides must hold integers of at most 99 digits; got '99999999999999999999999999 ... "
            "99999999999999999999999999'",
        ),
        (
            "--from torch --to keras kernel_size=3 stride=" + "(" * 1000,
            "--stride must be an integer of at least 1; got '(((((((((((((((((((((((((( ... "
            "((((((((((((((((((((((((((' of type str",
        ),
        (
            "--from tconv --to torch --kernel 3 padding=[(0,1),(0,'a')]",
            "--padding of axis 1 (high end) must be an integer; got 'a' of type str",
        ),
        (
            "--from tconv --to torch --kernel 3 --output-padding 0 --output-size 9 --coarse 3x0",
            "--coarse of axis 1 must be an integer of at least 1; got 0",
        ),
        *[
            (
                f"--from keras --to torch --kernel 3 --padding 1 --ndim {n}",
                f"--ndim must be an integer from 1 to 30; got {n}",
            )
            for n in ("0", "33", "9" * 20)
        ],
        *[
            (
                f"--from keras --to torch --kernel 3 {option} 1.5",
                f"{option} must be an integer of at least 1; got '1.5'",
            )
            for option in ("--groups", "--in-channels", "--out-channels")
        ],
        (
            "--from keras --to torch {4}",
            "a configuration in braces must be JSON or a dictionary of Python; got '{4}'",
        ),
        (
            "--from keras --to torch 4",
            "parameters must be written NAME=VALUE, such as kernel_size=4; got '4'",
        ),
        (
            "--from keras --to torch kernel_size=4 --kernel 3",
            "kernel_size must be given once; got it as an option and as kernel_size=4",
        ),
        (
            "--from keras --to torch",
            "--kernel must be given, as the parameter kernel_size or from the weights; got none",
        ),
        (
            "--from torch --to keras --kernel 3 --padding same",
            "--padding must be an integer or one an axis: PyTorch's transposed convolutions have no "
            '"same" and no "valid"; got \'same\'',
        ),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(run, arguments, message):
    code, out, err = run("convert", *arguments.split())
    assert (code, out, err) == (2, "", f"tconv convert: {message}\nTry 'tconv convert --help'.\n")
