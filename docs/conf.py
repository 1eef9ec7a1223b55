"""Sphinx settings of the documentation; ``make docs`` builds it, with warnings as errors."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from system_pages import write_pages

project = "asc-bench"
author = "the asc-bench authors"
release = version = installed("asc-bench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "asc-bench"
html_copy_source = False
html_show_copyright = False
copybutton_exclude = ".linenos, .gp"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# The API re-exports names that live elsewhere; each is described once, where authors import it.
suppress_warnings = ["myst.xref_missing"]


def setup(app):
    """Write the pages that are made of the systems' cards, before anything is read."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "systems"))
