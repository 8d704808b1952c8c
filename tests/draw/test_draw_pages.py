"""The pictures of docs/pictures.md are what the commands above them make."""

import re
import shlex
from pathlib import Path

import pytest

from tconv.cli import main
from tconv.draw import VIEWS

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = re.findall(r"^\$ tconv (draw .*)$", (DOCS / "pictures.md").read_text("utf-8"), re.MULTILINE)


def test_every_view_has_a_picture():
    assert [command.split()[1] for command in COMMANDS] == list(VIEWS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[1])
def test_pictures_are_what_their_commands_make(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    *given, path = shlex.split(command)
    assert main([*given, path]) == 0
    assert (tmp_path / path).read_text("utf-8") == (DOCS / path).read_text("utf-8"), f"run `tconv {command}` in docs/"
