"""Docstrings as reStructuredText: they are plain text, with backticks around code and indented formulas.

What would be markup by accident, such as the asterisk of `(N, Cin, *size)`, is escaped. A name in backticks becomes a
link where the reference has it. Napoleon, which knows sections such as "Args:", is not used: it takes the words before
a colon for a type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: What starts a section, and how the site says it.
SECTIONS = {"Args:": ":Parameters:", "Returns:": ":Returns:", "Raises:": ":Raises:"}
ENTRY = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")
CODE = re.compile(r"(`[^`]+`)")
NAME = re.compile(r"[A-Za-z_][\w.]*$")
MARKUP = re.compile(r"([\\*|]|_(?!\w))")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")


def prose(text: str) -> str:
    """One line: code and names as roles, everything else as it reads."""
    return "".join(code(part[1:-1]) if CODE.match(part) else MARKUP.sub(r"\\\1", part) for part in CODE.split(text))


def code(text: str) -> str:
    """What stood in backticks."""
    return f":py:obj:`{text}`" if NAME.match(text) else f"``{text}``"


def converted(source: list[str]) -> Iterator[str]:
    """A docstring, line by line."""
    state, blank = "prose", True  # or "example", "formula", "section"
    for line in source:
        text = line.strip()
        if not text:
            state = "prose" if state == "example" else state
            yield ""
        elif state == "example" or text.startswith(">>>"):
            if state != "example":
                yield ""
            state = "example"
            yield line
        elif text in SECTIONS:
            state = "section"
            yield from (SECTIONS[text], "")
        elif not line.startswith(" "):
            state = "prose"
            yield prose(line)
        elif state == "section":
            yield explained(line)
        else:
            if state == "prose" and blank:
                yield from ("::", "")
            state = "formula"
            yield line
        blank = not text


def explained(line: str) -> str:
    """A line of a section: an argument or an error with what is said of it, or more of that."""
    if entry := ENTRY.match(line):
        return f"    * **{entry[1]}**: {prose(entry[2])}"
    return " " * (6 if line.startswith(" " * 8) else 4) + prose(line.strip())


def rewrite(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """The docstring of anything that the reference shows."""
    lines[:] = converted(lines)


def named(app: Sphinx, what: str, name: str, thing: Any, options: Any, said: str | None, result: str | None) -> Any:
    """A signature: the names of types alone, where Sphinx prints how it holds them."""
    return tuple(part and ALIAS.sub(r"\1", part) for part in (said, result))


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", named)
    return {"parallel_read_safe": True}
