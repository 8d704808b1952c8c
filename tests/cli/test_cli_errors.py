"""The library's sentences in the words of the command line."""

import pytest

from tconv.cli.errors import in_options


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Axis.conv: stride must be 1; got 2\n  called with stride=2", "--stride must be 1; got 2"),
        (
            "solve: output_padding must be 0 where output_size names another size; got 1",
            "--output-padding must be 0 where --output-size names another size; got 1",
        ),
        ("Layer: groups must divide in_channels = 3; got 2", "--groups must divide --in-channels = 3; got 2"),
        ("padding[0] must be an integer; got 'a'", "--padding of axis 0 must be an integer; got 'a'"),
        ("padding[2][0] must be an integer; got 'a'", "--padding of axis 2 (low end) must be an integer; got 'a'"),
        ("output_padding[1] must be 0; got 1", "--output-padding of axis 1 must be 0; got 1"),
        ("keras.read: kernel_size must be 3; got 4", "kernel_size must be 3; got 4"),
        ("pads[1] must be an integer; got 'a'", "pads[1] must be an integer; got 'a'"),
        ('parameters must be named "output_padding"; got 3', 'parameters must be named "output_padding"; got 3'),
        ("one of them must be given; got max_kernel=3", "one of them must be given; got max_kernel=3"),
    ],
)
def test_arguments_become_options_and_names_of_parameters_stay(message, said):
    assert in_options(message) == said
