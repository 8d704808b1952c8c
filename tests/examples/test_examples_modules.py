"""The examples in the docstrings of the examples are executed, and their README names what there is."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import examples

MODULES = [info.name for info in pkgutil.walk_packages(examples.__path__, "examples.")]
FOLDER = Path(examples.__file__).parent


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).failed == 0


def test_readme_names_every_file():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in FOLDER.rglob("*.py"):
        if path.name != "__init__.py":
            assert f"`{path.relative_to(FOLDER).as_posix()}`" in readme
