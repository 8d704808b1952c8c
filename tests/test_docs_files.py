"""Files and folders that docs, docstrings and comments name are there.

A name in backticks that ends in `.py` or in a slash is one. It lies beside who names it, or beside a folder around
that, or there is but one in the repository whose path ends like this; `*/kinds.py` stands for several. Pages name what
lies in `src/tconv` and in the engine too, and several by a name that these have in common.
"""

import io
import re
import tokenize
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
FOLDERS = ["src", "tests", "benchmarks", "examples", "docs", ".ci"]
READMES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "examples/README.md")]
PAGES = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
#: Where a page looks for what it names, after its own folder.
HOMES = [ROOT, ROOT / "src/tconv", ROOT / "src/tconv/jit"]
NAME = re.compile(r"`([\w./*-]*(?:\w\.py|\w/))`")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@cache
def paths():
    """Of all files and folders, from the root, with a slash before and, where it is a folder, behind."""
    files = [path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    folders = {parent for path in files for parent in path.parents}
    return [f"/{path}" for path in files] + [f"/{path}/" for path in folders]


def is_there(name, homes, several=False):
    """Whether a name stands for one file or folder, looked for in some folders first; with an asterisk for any."""
    if any((home / name).is_dir() if name.endswith("/") else (home / name).is_file() for home in homes):
        return True
    found = sum(fnmatch(path, f"*/{name}") for path in paths())
    return found == 1 or (found > 1 and (several or "*" in name))


def names(text):
    """The files and folders in a text, and in which line each stands."""
    return [(text[: found.start()].count("\n") + 1, found[1]) for found in NAME.finditer(text)]


def without_code(page):
    """A page with its blocks of code blank."""
    return FENCE.sub(lambda block: "\n" * block[0].count("\n"), page)


def prose(source):
    """A file of Python with its code blank: comments and strings are left, each in its line."""
    lines = [""] * (source.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for number, text in enumerate(token.string.split("\n"), token.start[0] - 1):
                lines[number] += text
    return "\n".join(lines)


def lost(path):
    """What a file names that is nowhere, as lines of a report."""
    text, page = path.read_text(encoding="utf-8"), path.suffix == ".md"
    homes = [path.parent, *HOMES] if page else [folder for folder in path.parents if folder.is_relative_to(ROOT)]
    named = names(without_code(text) if page else prose(text))
    return [f"{path.relative_to(ROOT)}:{line}: {name}" for line, name in named if not is_there(name, homes, page)]


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(path):
    assert not lost(path)


def test_names_are_found():
    source = '"""As in `sizes.py`, `gone/`."""\nx = 1  # `nowhere.py`\nf("`lost.py`")'
    assert names(prose(source)) == [(1, "sizes.py"), (1, "gone/"), (2, "nowhere.py"), (3, "lost.py")]
    assert names(without_code("a\n```text\n`b.py`\n```\n`c.py` d.py\n")) == [(5, "c.py")]
    homes = [ROOT / "src/tconv/jit/kernels", ROOT / "src/tconv/jit"]
    assert all(is_there(name, homes) for name in ("pixels.py", "machine/ir.py", "pool.py", "machine/", "*/kinds.py"))
    assert is_there("schedule.py", homes, several=True)
    assert not is_there("emit.py", homes, several=True)
    assert not any(
        is_there(name, homes) for name in ("schedule.py", "emit.py", "machine/emit.py", "lines/", "*/emit.py")
    )


def test_there_are_names_to_look_for():
    assert sum(len(names(prose(path.read_text(encoding="utf-8")))) for path in SOURCES) > 50
    assert sum(len(names(without_code(path.read_text(encoding="utf-8")))) for path in PAGES) > 50
