"""Files import from those above them and never from those below: the imports of all files make no circle.

Imports within functions count, and so do those for type checkers only: who reads a file meets them too.
"""

import ast
from pathlib import Path

import pytest

import tconv
from tconv.libraries import LIBRARIES

pytestmark = pytest.mark.quick

ROOT = Path(tconv.__file__).parent


def modules(root):
    """The path of each module by its name."""
    found = {}
    for path in root.rglob("*.py"):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root):
    """For each module, those of the package that it imports, wherever in the file."""
    known = modules(root)
    return {name: set(imported(path, root.name, known)) for name, path in known.items()}


def imported(path, package, known):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.split(".")[0] == package:
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    yield inner if inner in known else module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def circles(graph):
    """The sets of modules that reach each other."""
    reached = {name: reachable(graph, name) for name in graph}
    return {frozenset(other for other in reached[name] if name in reached[other]) for name in graph} - {frozenset()}


def reachable(graph, start):
    found, left = set(), [start]
    while left:
        for name in graph[left.pop()] - found:
            found.add(name)
            left.append(name)
    return found


def test_there_are_no_circles():
    graph = imports(ROOT)
    for name in graph:
        graph[name] -= {"tconv"}  # the test below is about those
    graph["tconv.libraries"] |= {library.computing for library in LIBRARIES}  # imported by name
    assert all(name.startswith("tconv.jit.") for circle in circles(graph) for name in circle)


def test_nothing_imports_the_package_itself():
    """It is everything at once: `_version.py` has the version, and each operation has a file."""
    asking = {name for name, others in imports(ROOT).items() if "tconv" in others}
    assert asking <= {"tconv.jit.choices", "tconv.jit.compile"}


@pytest.mark.parametrize(
    "line", ["from package import first", "def late():\n    from package.first import value", "import package.first"]
)
def test_a_circle_is_found(tmp_path, line):
    root = tmp_path / "package"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "first.py").write_text("from package import second")
    (root / "second.py").write_text(line)
    (root / "third.py").write_text("import package.second")
    assert circles(imports(root)) == {frozenset({"package.first", "package.second"})}
