"""Where a page stands among others: links that it shows, and addresses of what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Place:
    """A page of a site; addresses are relative to the page.

    Attributes
    ----------
    links : tuple of (str, str)
        Text and address of each link of the navigation bar; none for a page that stands alone.
    here : str
        Which of these addresses is the page itself; empty for none.
    systems : mapping
        Name of a system, without settings, to the address of its page.
    files : mapping
        Name to address of files that are too large for the page to hold.
    """

    links: tuple[tuple[str, str], ...] = ()
    here: str = ""
    systems: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


ALONE = Place()
"""Of a page that stands alone, such as that of ``asc-bench report``."""
