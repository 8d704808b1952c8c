"""`pytest -m quick` says something of every package."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.quick


def test_every_folder_has_quick_tests():
    folders = {path.parent for path in HERE.rglob("test_*.py")}
    assert folders == {
        path.parent for path in HERE.rglob("test_*.py") if "pytest.mark.quick" in path.read_text("utf-8")
    }
