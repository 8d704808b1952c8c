"""What is kept on disk is known by all the sources that it comes from: a change of any of them makes it another."""

import inspect
import re
import shutil
from enum import IntEnum
from pathlib import Path

import pytest

from tconv.jit.choice import tuned
from tconv.jit.kernels import linking
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import sources
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import NativeFunction, native
from tconv.jit.programs.loops import rows
from tconv.jit.schedules.channels.loops.chunks import chunks_of_channels
from tconv.jit.schedules.gradient.loops.chunks import chunks_of_gradient
from tconv.jit.schedules.pixels.loops.chunks import chunks_of_pixels
from tconv.jit.schedules.taps.loops.chunks import chunks_of_taps
from tconv.jit.schedules.winograd.loops.chunks import chunks_of_winograd

pytestmark = pytest.mark.quick

#: Of everything that is kept by files: what asks for the digest, and the files that it comes from.
KEPT = {
    "all machine code": (
        compiler,
        "_generator",
        [f"machine/{name}.py" for name in ("compile", "elementary", "ir", "isa", "shuffles", "systems")],
    ),
    "kernels": (linking, "_sources", ["kernels/*.py"]),
    "choices": (tuned, "_sources", ["**/*.py"]),
}
LOOPS = (chunks_of_channels, chunks_of_gradient, chunks_of_pixels, chunks_of_taps, chunks_of_winograd)


#: What kernels import of the engine's ground that is in no code: how it is compiled, found, loaded, called and printed.
NOT_IN_CODE = {"compile", "debug", "entry_points", "loader", "sources"}


def test_all_that_kernels_are_written_with_is_known():
    """Else a kernel would be taken from disk that an edit has changed."""
    imported = re.compile(r"^from tconv\.jit\.machine(?:\.(\w+))? import (.*)$", re.MULTILINE)
    found = set()
    for path in sources.HERE.glob("kernels/*.py"):
        for module, names in imported.findall(path.read_text("utf-8")):
            found |= {module} if module else {name.split()[0] for name in names.split(", ")}
    assert {f"machine/{name}.py" for name in found - NOT_IN_CODE} <= set(KEPT["all machine code"][2])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A copy of the engine, which digests are taken of."""
    copy = tmp_path / "jit"
    shutil.copytree(sources.HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for module, *_ in KEPT.values():
        monkeypatch.setattr(module, "HERE", copy)
    return copy


@pytest.mark.parametrize(("module", "name", "patterns"), KEPT.values(), ids=KEPT)
def test_an_edit_of_any_file_changes_the_digest_and_nothing_else_does(here, module, name, patterns):
    ask = getattr(module, name).__wrapped__
    before = ask()
    assert ask() == before
    files = {path for pattern in patterns for path in here.glob(pattern)}
    assert files
    for path in sorted(here.rglob("*.py")):
        text = path.read_text("utf-8")
        path.write_text(text + "#", "utf-8")
        assert (ask() != before) == (path in files), path
        path.write_text(text, "utf-8")
    assert ask() == before


@pytest.mark.parametrize(("module", "name", "patterns"), KEPT.values(), ids=KEPT)
def test_without_sources_there_is_a_digest_of_their_names(here, module, name, patterns):
    ask, before = getattr(module, name).__wrapped__, getattr(module, name)()
    for path in here.rglob("*.py"):
        path.unlink()
        path.mkdir()
    assert ask() == ask() != before


@pytest.fixture
def digested(monkeypatch):
    """What digests of loops are taken of: what is said, and files."""
    taken = []
    monkeypatch.setattr(compiled, "digest", lambda said, paths: taken.append((said, set(paths))))

    def of(loop):
        compiled._sources(loop)
        return taken[-1]

    return of


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.name)
def test_a_loop_is_known_by_the_files_of_all_that_it_calls_and_by_the_words_that_they_name(digested, loop):
    said, files = digested(loop)
    folder, shared = Path(inspect.getfile(loop.function)).parent, sources.HERE / "programs" / "loops"
    own = {path for path in folder.glob("*.py") if "@native" in path.read_text("utf-8")}
    assert own | {shared / "chunks.py", shared / "rows.py"} <= files
    assert {path.name for path in files - own - set(shared.glob("*.py"))} == {"language.py", "translate.py"}
    assert "AxisWords [('READ', 0)" in said
    assert "Piece [('X', " in said


#: What a loop may name.
FACTOR = 3


class Word(IntEnum):
    """A word."""

    FIRST = 1


@native
def inner(a: int) -> int:
    """Named by `outer`."""
    return a * FACTOR + Word.FIRST


@native
def outer(a: int) -> int:
    """Calls another."""
    return inner(a) + 1


def test_a_constant_a_word_and_a_call_change_what_a_loop_is_known_by(digested, monkeypatch):
    found = [digested(outer)]
    for name, value in (
        ("FACTOR", 4),
        ("Word", IntEnum("Word", {"FIRST": 2})),
        ("inner", NativeFunction(rows.row.function)),
    ):
        monkeypatch.setitem(globals(), name, value)
        found.append(digested(outer))
    assert len({(said, frozenset(files)) for said, files in found}) == 4
