"""The program itself: help, version, exit codes, and terminals of all kinds."""

import io
import json
import subprocess
import sys

import pytest

import tconv
from tconv.cli import main


def test_python_m_tconv_works():
    command = [sys.executable, "-m", "tconv", "size", "--coarse", "32", "--kernel", "4", "--stride", "2", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["fine"] == [66]
    assert result.stderr == ""


def test_without_the_extra_one_line_says_what_to_install():
    program = "import sys; sys.modules['typer'] = None; from tconv.cli import main; sys.exit(main(['size']))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "tconv: the command line needs typer, which is not installed: pip install 'tconv[cli]'\n"


def test_another_missing_module_is_no_usage_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "tconv.cli.app", None)
    with pytest.raises(ModuleNotFoundError):
        main([])


def test_version_and_help(run):
    assert run("--version") == (0, f"tconv {tconv.__version__}\n", "")
    for arguments in ([], ["--help"], ["-h"]):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        for command in (
            "size",
            "explain",
            "solve",
            "convert",
            "upsample",
            "demo",
            "inspect",
            "accelerate",
            "cache",
            "machine",
            "bench",
        ):
            assert f"\n  {command} " in out


@pytest.mark.parametrize(
    "command",
    ["size", "explain", "solve", "convert", "upsample", "demo", "inspect", "accelerate", "cache", "machine", "bench"],
)
@pytest.mark.parametrize("columns", ["50", "80", "200"])
def test_every_command_has_help_on_any_terminal(run, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert "--json" in out


def test_a_mistyped_command_or_option_is_guessed(run):
    code, out, err = run("sise")
    assert (code, out) == (2, "")
    assert err.startswith("tconv: No such command 'sise'.")
    assert err.endswith("\nTry 'tconv --help'.\n")
    code, out, err = run("size", "--coarse", 3, "--kernal", 3)
    assert (code, out) == (2, "")
    assert err.startswith("tconv size: No such option: --kernal")
    assert "--kernel" in err
    assert err.endswith("\nTry 'tconv size --help'.\n")


def test_a_fault_of_ours_is_a_traceback(monkeypatch):
    def fault(**_):
        raise ValueError("no message of the library")

    monkeypatch.setattr("tconv.cli.options.Geometry.conv_transpose", fault)
    with pytest.raises(ValueError, match="no message of the library"):
        main(["size", "--coarse", "3", "--kernel", "3"])


def test_signs_that_the_encoding_lacks_are_no_reason_to_fail(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["explain", "--coarse", "3", "--kernel", "3"]) == 0
    stream.flush()
    assert b"the transposed one C? times the" in stream.buffer.getvalue()


def test_output_is_plain_where_it_is_no_terminal_and_coloured_where_asked(run, monkeypatch):
    arguments = ("explain", "--coarse", 3, "--kernel", 3)
    assert "\x1b" not in run(*arguments)[1]
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1mMatrix C" in run(*arguments)[1]
