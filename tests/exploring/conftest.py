"""A browser for the tests of the page."""

from __future__ import annotations

import os
import shutil

import pytest
from browser import needed

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser():
    """One without a window."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    needed(program, "a browser (Chromium)")
    if not os.environ.get("CI"):
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playing:
        started = playing.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()
