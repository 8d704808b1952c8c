"""Links to files of the repository that are no pages of the site, such as `../CONTRIBUTING.md`.

They lead to the repository where its address is given (`-D repository=ADDRESS`, to which the path of a file is added),
else to a copy of the file beside the site. A file that is not there is a warning, as any broken link.
"""

from __future__ import annotations

import os
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class Outside(SphinxTransform):
    """Before files to be copied are collected. Pages of Markdown outside would be taken for pages that are missing."""

    default_priority = 300

    def apply(self) -> None:
        """Replace the links that lead outside."""
        page = Path(self.env.doc2path(self.env.docname)).parent
        for link in list(self.document.findall(addnodes.pending_xref)):
            if link.get("refdomain") == "doc" and Path(link["reftarget"]).is_absolute():
                self.replace(link, page, Path(f"{link['reftarget']}.md"), link["reftargetid"])
        for link in list(self.document.findall(addnodes.download_reference)):
            file = (page / link["reftarget"]).resolve()
            if file.is_file() and not file.is_relative_to(self.env.srcdir):
                self.replace(link, page, file, None)

    def replace(self, link: nodes.Element, page: Path, file: Path, anchor: str | None) -> None:
        """The same words, another link; only the repository has the headings of a file."""
        by: nodes.Element
        if address := self.config.repository.rstrip("/"):
            path = file.relative_to(Path(self.env.srcdir).parent).as_posix()
            by = nodes.reference("", "", refuri=f"{address}/{path}" + (f"#{anchor}" if anchor else ""), internal=False)
        else:
            target = Path(os.path.relpath(file, page)).as_posix()
            by = addnodes.download_reference("", reftarget=target, refdoc=self.env.docname)
        by += link.children
        link.replace_self(by)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_config_value("repository", "", "env", str)
    app.add_transform(Outside)
    return {"parallel_read_safe": True}
