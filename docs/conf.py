"""Sphinx settings of the documentation; ``make docs`` builds it, with warnings as errors."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from system_pages import write_pages

project = "asc-bench"
author = "the asc-bench authors"
release = version = installed("asc-bench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_copybutton"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "asc-bench"
html_copy_source = False
html_show_copyright = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False


def setup(app):
    """Write the pages that are made of the systems' cards, before anything is read."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "systems"))
