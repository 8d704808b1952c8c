"""The interactive page beside the site, and in it: below each picture that a command draws, the same to change.

Pages keep plain commands and pictures, which are read anywhere; here every `$ tconv draw VIEW ...` whose picture
follows gets a frame that is loaded when it is opened.
"""

from __future__ import annotations

import shlex
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.fileutil import copy_asset_file

import tconv.exploring

#: The page of the package, and what it is called beside the site.
PAGE, NAME = Path(tconv.exploring.__file__).parent / "page.html", "explore.html"
WORDS = {"en": "Change it, step by step", "zh": "改动参数，逐步观看"}


class Explore(SphinxTransform):
    """After pictures that commands draw."""

    default_priority = 400

    def apply(self) -> None:
        """Find the commands."""
        up = "../" * self.env.docname.count("/")
        language = "zh" if self.env.docname.endswith(".zh") else "en"
        for block in list(self.document.findall(nodes.literal_block)):
            picture = block.next_node(descend=False, siblings=True)
            address = addressed(block.astext(), language)
            if address and picture is not None and any(picture.findall(nodes.image)):
                picture.parent.insert(picture.parent.index(picture) + 1, framed(f"{up}{NAME}#{address}", language))


def addressed(command: str, language: str) -> str:
    """What stands behind the "#" for a command that draws; nothing for others."""
    if not command.startswith("$ tconv draw ") or "\n" in command.strip():
        return ""
    _, _, _, view, *words = shlex.split(command)
    options = zip(words[::2], words[1::2], strict=True)
    said = {name.removeprefix("--"): text for name, text in options if name not in ("-o", "--lang")}
    return "&".join(f"{name}={text}" for name, text in {"view": view, **said, "lang": language}.items())


def framed(address: str, language: str) -> nodes.raw:
    """A frame that is folded until it is wanted."""
    title = WORDS[language]
    frame = f'<iframe src="{escape(address)}" loading="lazy" title="{title}"></iframe>'
    return nodes.raw("", f'<details class="explore"><summary>{title}</summary>{frame}</details>', format="html")


def copied(app: Sphinx, error: Exception | None) -> None:
    """The page itself, beside the site's."""
    if error is None and app.builder.format == "html":
        copy_asset_file(PAGE, Path(app.outdir) / NAME)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_transform(Explore)
    app.connect("build-finished", copied)
    return {"parallel_read_safe": True}
