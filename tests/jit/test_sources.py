"""What is kept on disk is known by all the sources that it comes from: a change of any of them makes it another."""

import shutil

import pytest

from tconv.jit import choices, sources
from tconv.jit import compile as compiler
from tconv.jit.native import machine

pytestmark = pytest.mark.quick

#: Of everything that is kept: what asks for the digest, and the files that it comes from.
KEPT = {
    "kernels": (compiler, "_generator", ("compile.py", "emit.py", "isa.py", "kernels/*.py")),
    "loops": (machine, "_sources", ("kernels/abi.py", "native/*.py")),
    "choices": (choices, "_sources", ("**/*.py",)),
}


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
