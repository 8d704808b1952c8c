"""Links of the documentation lead to files that are there, and to headings that these have."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
READMES = [ROOT / folder / "README.md" for folder in ("benchmarks", "examples")]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *READMES])
LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]*`")  # `convs[i](x)` is no link
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text(page):
    return CODE.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """As GitHub makes them: lower case, blanks as hyphens, without punctuation."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text(page))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(SPAN.sub("", text(page))):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{link}: there is no {target}"
        if anchor:
            assert anchor in anchors(target), (
                f"{link}: {target.name} has no such heading; it has {sorted(anchors(target))}"
            )


def test_anchors_are_those_of_the_headings():
    found = anchors(ROOT / "docs" / "kinds.md")
    assert "weight_gradient" in found
    assert "weight-gradient" not in found
