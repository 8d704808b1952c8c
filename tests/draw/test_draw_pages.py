"""The pictures of the pages in docs/ are what the commands above them make."""

import re
import shlex
from pathlib import Path

import pytest

from tconv.cli import main
from tconv.draw import VIEWS

DOCS = Path(__file__).parents[2] / "docs"
#: A command that makes a picture of a page, and the picture below it.
DRAWN = re.compile(r"^```console\n\$ tconv (draw .* -o (images/\S+))\n```\n\n!\[.+\]\((.+)\)$", re.MULTILINE)
COMMANDS = [
    pytest.param(found[1], found[2], found[3], id=f"{page.stem}-{Path(found[2]).stem}")
    for page in sorted(DOCS.glob("*.md"))
    for found in DRAWN.finditer(page.read_text("utf-8"))
]


def test_every_view_has_a_picture():
    found = DRAWN.finditer((DOCS / "pictures.md").read_text("utf-8"))
    assert [each[1].split()[1] for each in found] == list(VIEWS)


def test_every_command_has_its_picture_below():
    commands = [
        command
        for page in sorted(DOCS.glob("*.md"))
        for command in re.findall(r"^\$ tconv (draw .* -o images/.*)$", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert commands == [each.values[0] for each in COMMANDS]


#: Pictures that an example draws, and a test of its own draws anew.
BY_EXAMPLES = {"images/blocks.svg"}


def test_every_drawn_picture_has_a_command():
    drawn = {f"images/{path.name}" for path in (DOCS / "images").glob("*.svg")}
    assert {each.values[1] for each in COMMANDS} | BY_EXAMPLES == drawn


@pytest.mark.parametrize(("command", "path", "below"), COMMANDS)
def test_pictures_are_what_their_commands_make(command, path, below, tmp_path, monkeypatch):
    assert below == path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    assert main(shlex.split(command)) == 0
    assert (tmp_path / path).read_text("utf-8") == (DOCS / path).read_text("utf-8"), f"run `tconv {command}` in docs/"
