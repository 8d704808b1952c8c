"""Groups of tests in processes of their own, where all tests run side by side: `apart.py` says why."""

import subprocess
import sys
from collections import Counter

import pytest
from apart import FILES, GROUPS, HERE, LEFT, LOADED, files


def quick(group):
    """The files of a group among `pytest -m quick`, where nothing else is loaded."""
    return [path for path in files(group) if "pytestmark = pytest.mark.quick" in path.read_text("utf-8")]


#: Those with such files are among these tests too.
EVERY = [pytest.param(group, marks=[pytest.mark.quick] if quick(group) else []) for group in GROUPS]


@pytest.mark.apart
@pytest.mark.parametrize("group", EVERY)
def test_in_a_process_of_its_own(group, request):
    paths, chosen = (quick(group), ["-m", "quick"]) if request.config.option.markexpr else (files(group), [])
    if profile := request.config.option.hypothesis_profile:
        chosen += ["--hypothesis-profile", profile]
    command = [sys.executable, "-m", "pytest", "-q", *chosen, *map(str, paths)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        pytest.skip(done.stdout)  # a framework is not installed
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr


def test_every_file_is_in_one_group():
    counted = Counter(path for group in GROUPS for path in files(group))
    assert max(counted.values()) == 1
    folders = {HERE / folder for folder in ("of_dask", "of_jax", "of_torch", "examples")}
    assert folders == LEFT - FILES - {HERE / "days"}  # of which some load a framework


@pytest.mark.apart
def test_no_other_file_loads_a_framework_as_it_is_collected(request):
    assert request.config.stash[LOADED] == set()
