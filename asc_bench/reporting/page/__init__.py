"""The results page: one HTML file with its style, its scripts and its numbers inside."""

from asc_bench.reporting.page.place import Place
from asc_bench.reporting.page.render import html_page

__all__ = ["Place", "html_page"]
