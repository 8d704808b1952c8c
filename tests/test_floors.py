"""Floors: files import from those before them in the table of CONTRIBUTING.md, never from those behind.

Imports within functions count, and so do those for type checkers only, and modules named in strings: who reads a file
meets them too.
"""

import ast
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

import tconv

pytestmark = pytest.mark.quick

ROOT = Path(tconv.__file__).parent
TABLE = Path(__file__).parents[1] / "CONTRIBUTING.md"


def floors(text):
    """The entries of each row of the table: files, and folders that end in a slash."""
    table = text.split("| file or folder |")[1].split("\n\n")[0]
    return [re.findall(r"`([^`]+)`", row) for row in re.findall(r"^\| (`.*?`) \|", table, re.M)]


ROWS = floors(TABLE.read_text("utf-8"))
#: For each entry its row, and its place within.
ENTRIES = {entry: (number, place) for number, row in enumerate(ROWS) for place, entry in enumerate(row)}


def entry_of(path):
    """The entry that names a file, given below the package: the longest, where several do."""
    named = [entry for entry in ENTRIES if path == entry or (entry.endswith("/") and path.startswith(entry))]
    assert named, f"no entry of CONTRIBUTING.md's table names {path}"
    return max(named, key=len)


def may_import(path, other):
    """Whether a file may import another one, by their entries."""
    mine, its = entry_of(path), entry_of(other)
    if mine != its and mine.endswith("/") and its.endswith("/") and ENTRIES[mine][0] == ENTRIES[its][0]:
        return False
    return ENTRIES[its] <= ENTRIES[mine]


def modules(root):
    """The path of each module by its name."""
    found = {}
    for path in root.rglob("*.py"):
        parts = ["tconv", *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root):
    """For each module, those of the package that it imports, wherever in the file."""
    known = modules(root)
    found = {}
    for name, path in known.items():
        asked = imported(path.read_text("utf-8"))
        inner = (f"{module}.{what}" if f"{module}.{what}" in known else module for module, what in asked)
        found[name] = {module for module in inner if module in known} - {name}
    return found


@cache  # copies of the package are alike
def imported(text):
    """The modules of tconv that a file names, and what it takes from each; "" for a module itself."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports say the whole name"
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.Constant) and str(node.value).startswith("tconv."):
            found.append((node.value, ""))  # for import_module, as rows of tables have it
    return [(module, what) for module, what in found if module.split(".")[0] == "tconv"]


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


def upwards(root):
    """The imports of what stands on a higher floor, as "file imports file"."""
    paths = {name: path.relative_to(root).as_posix() for name, path in modules(root).items()}
    return [
        f"{paths[name]} imports {paths[other]}"
        for name, others in imports(root).items()
        for other in sorted(others)
        if other in paths and not may_import(paths[name], paths[other])
    ]


def test_nothing_is_imported_from_a_higher_floor():
    assert upwards(ROOT) == []


def test_there_are_no_circles():
    assert circles(imports(ROOT)) == set()


def test_every_entry_is_there():
    assert [entry for entry in ENTRIES if not (ROOT / entry).exists()] == []
    assert len(ENTRIES) == sum(map(len, ROWS))


def test_nothing_imports_the_package_itself():
    """It is everything at once: `_version.py` has the version, and each operation has a file."""
    assert [name for name, others in imports(ROOT).items() if "tconv" in others] == []


@pytest.fixture
def copy(tmp_path):
    """The package, to be spoiled."""
    return Path(shutil.copytree(ROOT, tmp_path / "tconv", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("jit/machine/isa.py", "from tconv.jit.engine import ready", "jit/machine/isa.py imports jit/engine.py"),
        (
            "jit/kernels/pixels.py",
            "def late():\n    from tconv.jit.schedules import axes",
            "jit/kernels/pixels.py imports jit/schedules/axes.py",
        ),
        (
            "jit/schedules/base.py",
            "if TYPE_CHECKING:\n    import tconv.jit.schedules.registry",
            "jit/schedules/base.py imports jit/schedules/registry.py",
        ),
        (
            "jit/schedules/pixels/kinds.py",
            "from tconv.jit.schedules.channels import sizes",
            "jit/schedules/pixels/kinds.py imports jit/schedules/channels/sizes.py",
        ),
        (
            "jit/schedules/taps/kinds.py",
            "from tconv.jit.schedules.channels import sizes",
            "jit/schedules/taps/kinds.py imports jit/schedules/channels/sizes.py",
        ),
        ("checks.py", "from tconv import plan", "checks.py imports plan.py"),
        ("plan.py", "from tconv.torch.nn import ConvTranspose2d", "plan.py imports torch/nn.py"),
        ("plan.py", 'later = "tconv.torch.nn"', "plan.py imports torch/nn.py"),
    ],
)
def test_a_wrong_import_is_found(copy, file, line, said):
    path = copy / file
    path.write_text(f"{path.read_text('utf-8')}\n{line}\n", "utf-8")
    assert said in upwards(copy)


def test_a_file_that_no_entry_names_is_found(copy):
    (copy / "new.py").write_text("from tconv import checks\n", "utf-8")
    with pytest.raises(AssertionError, match=r"no entry of CONTRIBUTING\.md's table names new\.py"):
        upwards(copy)


@pytest.mark.parametrize(
    "line", ["from tconv import first", "def late():\n    from tconv.first import value", "import tconv.first"]
)
def test_a_circle_is_found(tmp_path, line):
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "first.py").write_text("from tconv import second")
    (tmp_path / "second.py").write_text(line)
    (tmp_path / "third.py").write_text("import tconv.second")
    assert circles(imports(tmp_path)) == {frozenset({"tconv.first", "tconv.second"})}
