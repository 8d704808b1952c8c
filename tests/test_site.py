"""The site has every page and every public name. Read without Sphinx; `.ci/run` builds it."""

import ast
import re
import runpy
from fnmatch import fnmatch
from inspect import cleandoc
from pathlib import Path

import pytest

import tconv

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md"))
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```\{eval-rst\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"^\.\. (?:py:)?(\w+):: ([\w.]+)", re.MULTILINE)
#: The packages whose names are public.
PACKAGES = ["", "conventions", "dask", "draw", "exploring", "jax", "methods", "onnx", "solving", "torch"]


def listed(page):
    """The pages that the tables of contents of a page name; patterns stand for the pages that they match."""
    folder = Path(page).parent
    for block in TOCTREE.findall((DOCS / f"{page}.md").read_text("utf-8")):
        for line in block.splitlines():
            if line and not line.startswith(":"):
                named = re.sub(r".*<(.*)>$", r"\1", line)
                yield (folder / named).as_posix()


def reached(start):
    """The pages that a reader comes to from one, it included."""
    found, left = set(), [start]
    while left:
        page = left.pop()
        found.add(page)
        named = [other for pattern in listed(page) for other in PAGES if fnmatch(other, pattern)]
        left += [other for other in named if other not in found]
    return found


def documented(text):
    """The names that the directives of a page document, in full, and those that it says are the same as one of them."""
    names, module = set(re.findall(r"`(tconv\.[\w.]+)`", text)), ""
    for directive, name in (found for block in BLOCK.findall(text) for found in DIRECTIVE.findall(block)):
        module = name if directive in ("module", "currentmodule") else module
        names.add(name if name.startswith("tconv") else f"{module}.{name}")
    return names


def public(package):
    """What a package's `__all__` has, read from its source: nothing optional is imported."""
    tree = ast.parse((ROOT / "src/tconv" / package / "__init__.py").read_text("utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    return ast.literal_eval(found[0].value)


def test_every_page_is_in_a_table_of_contents():
    assert sorted(set(PAGES) - reached("index")) == []


def test_tables_of_contents_name_pages():
    entries = [(page, entry) for page in PAGES for entry in listed(page)]
    assert [both for both in entries if not any(fnmatch(page, both[1]) for page in PAGES)] == []
    assert len(entries) > 30


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package or "tconv")
def test_every_public_name_is_in_the_reference(package):
    reference = set().union(*(documented(page.read_text("utf-8")) for page in (DOCS / "reference").glob("*.md")))
    module = f"tconv.{package}".rstrip(".")
    assert [name for name in public(package) if f"{module}.{name}" not in reference] == []


def test_all_public_packages_are_looked_at():
    assert set(dir(tconv)) - set(tconv.__all__) - {"__version__"} <= set(PACKAGES)


def test_what_is_read_from_pages():
    text = "`tconv.a.b` and `c`\n```{eval-rst}\n.. py:module:: tconv.x\n\n.. autoclass:: tconv.D\n.. py:data:: E\n```\n"
    assert documented(text) == {"tconv.a.b", "tconv.x", "tconv.D", "tconv.x.E"}
    assert {"conv_transpose", "plan"} <= set(public(""))
    assert "performance/jax" in listed("index")
    assert "reference/torch" in listed("reference/index")


def test_docstrings_become_what_they_read_as():
    converted = runpy.run_path(str(DOCS / "extensions/docstrings.py"))["converted"]
    source = """
    The fine size: x_ of (N, *size), as `tconv.plan` and `a < b` say,

        y[o] += x[i] * w

    summed.

    Args:
        x, y: (N, *size); a long one
            that goes on.

    Returns:
        A new array, `out`.

    >>> f(*x)
    1
    """
    said = r"""
    The fine size: x\_ of (N, \*size), as :py:obj:`tconv.plan` and ``a < b`` say,

    ::

        y[o] += x[i] * w

    summed.

    :Parameters:

        * **x, y**: (N, \*size); a long one
          that goes on.

    :Returns:

        A new array, :py:obj:`out`.


    >>> f(*x)
    1
    """
    assert list(converted(cleandoc(source).splitlines())) == cleandoc(said).splitlines()
