"""The examples in README, docs and docstrings are executed.

A ```python block with prompts is a doctest; one without is run, and its assertions hold. Blocks of a file share their
names, from top to bottom. In a ```console block, `$ tconv ...` is run, and prints exactly the lines below it.
"""

import doctest
import importlib
import pkgutil
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

import tconv

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODULES = [info.name for info in pkgutil.walk_packages(tconv.__path__, "tconv.") if not info.name.endswith("__main__")]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
#: What examples may need beside NumPy, by the word that says so.
OPTIONAL = {name: name for name in ("torch", "jax", "onnx", "onnxruntime")} | {"widget": "anywidget"}


def skip_without(source):
    """Not every system has all frameworks; where one is missing, its examples are left out, as its other tests are."""
    for word, name in OPTIONAL.items():
        if re.search(rf"\b{word}\b", source) and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return [(text[: m.start()].count("\n") + 2, m[2]) for m in BLOCK.finditer(text) if m[1] == language]


def run_doctest(source, name, names, line=0):
    test = doctest.DocTestParser().get_doctest(source, names, name, name, line)
    report = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)
    names.update(test.globs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    skip_without("".join(source for _, source in blocks(page, "python")))
    for line, source in blocks(page, "python"):
        if ">>>" in source:
            run_doctest(source, page.name, names, line)
        else:
            exec(compile("\n" * line + source, page, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_console_blocks(page, tmp_path, monkeypatch, capsys):
    from tconv.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for _, source in blocks(page, "console"):
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", source, re.MULTILINE):
            program, *arguments = shlex.split(command)
            if program != "tconv" or not printed:
                continue
            try:
                code = main(arguments)
            except SystemExit as stop:
                code = stop.code
            assert code in (0, None), command
            shown = [line.rstrip() for line in capsys.readouterr().out.strip().splitlines()]
            assert shown == [line.rstrip() for line in printed.strip().splitlines()], command


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    skip_without(name)
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is responsible for"
    for test in doctest.DocTestFinder().find(module, name):
        report = []
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append)
        assert not report, "".join(report)


def test_there_are_examples_to_run():
    assert sum(len(blocks(page, "python")) for page in PAGES) > 10
    with pytest.raises(AssertionError, match="Expected"):
        run_doctest(">>> 1 + 1\n3\n", "wrong", {})
