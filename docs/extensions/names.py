"""Names in code, such as `tconv.plan`, lead to the reference: pages say them in backticks, without a link."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

NAME = re.compile(r"tconv(\.\w+)+$")


class Names(SphinxTransform):
    """A name that the reference does not have stays as it is: nothing is said of it."""

    default_priority = 300

    def apply(self) -> None:
        """Wrap what may be a name."""
        for node in list(self.document.findall(nodes.literal)):
            text = node.astext()
            if NAME.match(text) and isinstance(node.parent, nodes.paragraph | nodes.entry | nodes.emphasis):
                link = addnodes.pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=text, refdoc=self.env.docname, refwarn=False
                )
                node.replace_self(link)
                link += node


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_transform(Names)
    return {"parallel_read_safe": True}
