"""Pages in Chinese say what those in English do: as many headings, the same code, commands, pictures and numbers."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.zh.md"), *ROOT.glob("docs/**/*.zh.md")])
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) .+$", re.MULTILINE)
PICTURE = re.compile(r"!\[.+?\]\((\S+)\)")
QUESTION = re.compile(r"^\*\*.+[?？]\*\*", re.MULTILINE)


def english(page):
    return page.with_name(page.name.replace(".zh.md", ".md"))


def without_language(text):
    """A command, or the file of a picture, without the language of the picture."""
    return text.replace(" --lang zh", "").replace(".zh.svg", ".svg")


def structure(page):
    """What is the same in every language, by its kind."""
    text = page.read_text(encoding="utf-8")
    prose = BLOCK.sub("", text)
    return {
        "headings": [len(marks) for marks in HEADING.findall(prose)],
        "code": [without_language(block) for block in BLOCK.findall(text)],
        "pictures": [without_language(picture) for picture in PICTURE.findall(prose)],
        "decimals": sorted(re.findall(r"\d+\.\d+", prose)),
        "questions": len(QUESTION.findall(prose)),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_translations_have_the_structure_of_the_english_page(page):
    translated, original = structure(page), structure(english(page))
    for kind, found in original.items():
        assert translated[kind] == found, f"{kind} of {page.name} and {english(page).name} differ"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_drawn_pictures_are_in_the_language_of_the_page(page):
    text = page.read_text(encoding="utf-8")
    for command in re.findall(r"^\$ tconv draw .* -o images/.*$", text, re.MULTILINE):
        assert " --lang zh " in command
        assert command.endswith(".zh.svg")
    assert "--lang" not in english(page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_languages_link_to_each_other(page):
    assert f"[English]({english(page).name})" in page.read_text(encoding="utf-8")
    assert f"[中文]({page.name})" in english(page).read_text(encoding="utf-8")


def test_the_chapter_and_the_readme_are_there():
    assert [page.name for page in PAGES] == ["README.zh.md", "step-by-step.zh.md"]
