"""What the page's script says, asked through Node.js: the same functions as in Python, with JSON in and out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import tconv
from tconv import Axis, Geometry

#: The page that the wheel carries; another bundle of its script while it is being worked on.
PAGE = Path(os.environ.get("TCONV_PAGE", Path(tconv.__file__).parent / "exploring" / "page.html"))
DRIVER = Path(__file__).with_name("driver.mjs")


def ask(calls: Iterable[list[Any]]) -> list[Any]:
    """The result of each call [name, *arguments]; {"error": text} where it was refused."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI"):
            pytest.fail("node must be on the PATH: the page's script is compared with Python")
        pytest.skip("node is not on the PATH")
    done = subprocess.run([node, DRIVER, PAGE], input=json.dumps(list(calls)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def record(one: Axis | Geometry) -> dict[str, Any]:
    """As it crosses to the page."""
    if isinstance(one, Geometry):
        return {"axes": list(map(record, one.axes))}
    return {field.name: getattr(one, field.name) for field in fields(Axis) if field.init}
