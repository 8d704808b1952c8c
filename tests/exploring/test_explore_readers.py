"""The page for all its readers: narrow and wide, light and dark, in both languages, by touch, and what axe finds."""

import re

import pytest
from browser import faults, opened

from tconv.draw import VIEWS

START = "view=scatter&coarse=3x3&kernel=3&stride=2&padding=1"


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_too_wide_and_axe_finds_no_fault(browser, width, language, theme):
    with opened(browser, f"{START}&lang={language}&theme={theme}", width=width) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        page.click("form button[type=submit]")
        for view in VIEWS:
            page.check(f"#view-{view}", force=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view
            assert faults(page) == [], view
        page.fill("#field-kernel", "0")
        assert faults(page) == []


def test_text_differs_from_what_is_below_it(browser):
    def luminance(color):
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in color))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    collect = """() => [...document.querySelectorAll('body *')].flatMap(each => {
      const own = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
      if (!own || !each.offsetParent || each.closest('svg')) return [];
      let below = each;
      while (getComputedStyle(below).backgroundColor === 'rgba(0, 0, 0, 0)' && below.parentElement)
        below = below.parentElement;
      return [[each.outerHTML.slice(0, 80), getComputedStyle(each).color, getComputedStyle(below).backgroundColor]];
    })"""
    for theme in ("light", "dark"):
        with opened(browser, f"{START}&theme={theme}") as page:
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            page.fill("#field-kernel", "0")
            pairs = page.evaluate(collect)
            assert len(pairs) > 60
            for element, *colors in pairs:
                light, dark = sorted(
                    (luminance(tuple(map(int, re.findall(r"\d+", color)[:3]))) for color in colors), reverse=True
                )
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (theme, element, colors)


def test_touch_targets_are_large_enough(browser):
    with opened(browser, START, width=320, has_touch=True) as page:
        boxes = page.eval_on_selector_all(
            "button, select, summary, .views label, input[type=range]",
            "all => all.filter(e => e.offsetParent)"
            ".map(e => [e.outerHTML.slice(0, 60), Math.min(e.offsetWidth, e.offsetHeight)])",
        )
        assert [box for box in boxes if box[1] < (16 if "range" in box[0] else 24)] == []
        page.tap('[data-of="y[1,1]"]')
        assert page.text_content(".tie").startswith("y[1,1] = ")
