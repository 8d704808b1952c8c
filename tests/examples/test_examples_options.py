"""The command line of the examples."""

from pathlib import Path

import pytest

from examples import options

pytestmark = pytest.mark.quick


def read(*arguments):
    return options.read(arguments, "examples.some", "About.", epochs=50, quick_epochs=2)


def test_left_out():
    assert read() == options.Options("tconv", 50, 3, quick=False, seed=0, out=Path())
    assert read("--quick") == options.Options("tconv", 2, 1, quick=True, seed=0, out=Path())


def test_given(tmp_path):
    given = read("--layers", "torch", "--epochs", "7", "--compare", "0", "--seed", "3", "--out", str(tmp_path))
    assert given == options.Options("torch", 7, 0, quick=False, seed=3, out=tmp_path)
    assert read("--quick", "--epochs", "7").epochs == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "argument --epochs: must be an integer of at least 1; got '0'"),
        (["--epochs", "many"], "argument --epochs: must be an integer of at least 1; got 'many'"),
        (["--compare", "-1"], "argument --compare: must be an integer of at least 0; got '-1'"),
        (["--seed", "1.5"], "argument --seed: must be an integer of at least 0; got '1.5'"),
        (["--layers", "keras"], "argument --layers: invalid choice: 'keras' (choose from tconv, torch)"),
        (["--out", "nowhere"], "argument --out: must be a folder that exists; got 'nowhere'"),
    ],
)
def test_wrong(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        read(*arguments)
    said = capsys.readouterr().err.splitlines()[-1]
    # Python 3.11 puts the choices in quotes, later ones do not.
    choices = said.replace("'tconv'", "tconv").replace("'torch'", "torch")
    assert choices == f"python -m examples.some: error: {message}"
