"""What pip is told: Pythons, systems, and llvmlite where it has wheels; and that the workflow tests what is named."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WORKFLOW = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
PYTHONS = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.M)

#: Wheels of llvmlite on PyPI in November 2026: by system, the first and the last release that has one, and its Pythons.
NEWEST = "0.50.0"
WHEELS = {
    ("linux", "x86_64"): ("0.46.0", NEWEST, ("3.11", "3.12", "3.13", "3.14")),
    ("linux", "aarch64"): ("0.46.0", NEWEST, ("3.11", "3.12", "3.13", "3.14")),
    ("win32", "AMD64"): ("0.46.0", NEWEST, ("3.11", "3.12", "3.13", "3.14")),
    ("win32", "ARM64"): ("0.50.0", NEWEST, ("3.12", "3.13", "3.14")),
    ("darwin", "arm64"): ("0.46.0", NEWEST, ("3.11", "3.12", "3.13", "3.14")),
    ("darwin", "x86_64"): ("0.45.1", "0.45.1", ("3.11", "3.12", "3.13")),
    ("linux", "riscv64"): (None, None, ()),
    ("linux", "ppc64le"): (None, None, ()),
    ("freebsd14", "amd64"): (None, None, ()),
    ("emscripten", "wasm32"): (None, None, ()),
}


def llvmlite(system, machine, python):
    """The releases that pip may choose from on a system, None where it is not to install any."""
    here = {"sys_platform": system, "platform_machine": machine, "python_version": python, "extra": ""}
    asked = [Requirement(text) for text in PROJECT["dependencies"] if text.startswith("llvmlite")]
    [*found] = [one.specifier for one in asked if one.marker.evaluate(here)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "machine"), WHEELS)
def test_llvmlite_is_asked_for_where_it_has_wheels(system, machine, python):
    """The newest release that is allowed must be one that has a wheel: pip would build it otherwise."""
    first, last, pythons = WHEELS[system, machine]
    found = llvmlite(system, machine, python)
    if python not in pythons:
        assert found is None
    else:
        assert first in found
        assert last in found
        assert last == NEWEST or NEWEST not in found


def test_pythons():
    assert PYTHONS[0] == PROJECT["requires-python"].removeprefix(">=")
    assert all(python in SpecifierSet(PROJECT["requires-python"]) for python in PYTHONS)


def test_the_workflow_runs_on_the_pythons_and_the_systems_that_are_named():
    [tested] = re.findall(r"^ +python: \[(.*)\]$", WORKFLOW, re.M)
    assert re.findall(r'"(.*?)"', tested)[: len(PYTHONS)] == PYTHONS  # and may try newer ones
    [systems] = re.findall(r"^ +system: \[(.*)\]$", WORKFLOW, re.M)
    named = {"MacOS": "macos", "Microsoft :: Windows": "windows", "POSIX :: Linux": "ubuntu"}
    classified = [text.removeprefix("Operating System :: ") for text in PROJECT["classifiers"] if "Operating" in text]
    assert {named[text] for text in classified} == {name.split("-")[0] for name in systems.split(", ")}


def test_the_workflow_names_extras_that_exist():
    for extras in re.findall(r"^ +extras: (.*)$", WORKFLOW, re.M):
        assert {*extras.split(",")} <= {*PROJECT["optional-dependencies"]}
    assert "matrix.extras || 'test'" in WORKFLOW
