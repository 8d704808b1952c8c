"""The site: `sphinx-build -E -W --keep-going -q -b html docs build/site`, after `pip install '.[docs]'`.

The pages are those that are read on GitHub. What only the site needs is in `extensions/`, a file for each thing.
"""

import sys
from pathlib import Path

from tconv import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "tconv"
author = copyright = "The tconv developers"
version = release = __version__
language = "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings", "explore", "names", "outside"]

# -- pages -------------------------------------------------------------------------------------------------------------

#: Links lead to headings by the anchors that GitHub gives them.
myst_heading_anchors = 6
myst_heading_slug_func = "github"
#: Quotes are mostly around values, such as "same".
smartquotes = False

# -- reference ---------------------------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
#: Defaults as the source has them, not as they print.
autodoc_preserve_defaults = True
#: Named, not written out: `Ints` is an integer or one for each axis, as the docstrings say.
autodoc_type_aliases = {name: name for name in ("Array", "Ints", "Layout", "Operation", "PaddingLike")}
python_maximum_signature_line_length = 80

# -- appearance --------------------------------------------------------------------------------------------------------

html_theme = "furo"
html_title = "tconv"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
