"""Running a command line in process, on a plain terminal of 80 columns."""

import json

import pytest

from tconv.cli import main

for needed in ("typer", "rich", "PIL", "matplotlib"):  # the extra "cli"
    pytest.importorskip(needed, exc_type=ModuleNotFoundError)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def piped(monkeypatch):
    """Standard output is no terminal here; without COLUMNS nothing says how wide it is."""
    monkeypatch.delenv("COLUMNS")


@pytest.fixture
def run(capsys):
    """Run a command line, of which the first argument is split: (exit code, standard output, standard error)."""

    def call(start="", *arguments):
        code = main([*start.split(), *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def run_json(run):
    """Run a command with --json; what it prints must be one JSON document and nothing else."""

    def call(*arguments):
        code, out, err = run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return call
