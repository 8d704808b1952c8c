"""The page in a real browser: opened from a file, offline, and without one error in its console."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from port import PAGE

ROOT = Path(__file__).parents[2]
#: What looks for faults of accessibility; installed beside what builds the page.
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"


def needed(there: object, what: str) -> None:
    """Without it a test is skipped, and in CI failed: there it is installed."""
    if not there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not there")


@contextmanager
def opened(browser, start="", url=None, width=1280, height=900, **options):
    """The page with what stands behind the "#" of its address."""
    context = browser.new_context(offline=True, viewport={"width": width, "height": height}, **options)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
    page.goto((url or PAGE.as_uri()) + (f"#{start}" if start else ""))
    page.wait_for_selector(".sheet svg")
    yield page
    assert errors == []
    context.close()


def go(page, start):
    """Show what another address says; back when it is shown."""
    page.evaluate(
        "start => new Promise(done => {"
        " if (location.hash.slice(1) === start) return done();"
        " addEventListener('hashchange', () => requestAnimationFrame(done), {once: true}); location.hash = start; })",
        start,
    )


def until(page, holds):
    """Wait for an expression to hold; Playwright's own way is refused by the page, which lets nothing be evaluated."""
    end = time.monotonic() + 20
    while not page.evaluate(holds):
        assert time.monotonic() < end, f"{holds} did not come to hold"
        time.sleep(0.02)


def said(page):
    """The state in the address, by names."""
    return dict(part.split("=", 1) for part in page.evaluate("decodeURIComponent(location.hash.slice(1))").split("&"))


def texts(page):
    """What is written in the picture."""
    return page.eval_on_selector_all(".sheet svg text", "all => all.map(each => each.textContent)")


def faults(page):
    """What axe has to say against the page as it is."""
    needed(AXE.exists(), "axe-core (npm ci in web/)")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")
    return [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found["violations"]]
