"""Cards of systems as reports show them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from asc_bench.reporting.text import latex, one_line


class SystemCard(Protocol):
    """What a report shows of ``Card`` of ``asc_bench.systems.base``, which it does not import: that needs torch."""

    @property
    def name(self) -> str:
        """Name of the system."""

    @property
    def title(self) -> str:
        """The name as it is written out."""

    @property
    def citation(self) -> str:
        """Where it was published."""

    @property
    def year(self) -> int:
        """Of the publication."""

    @property
    def input(self) -> str:
        """What it is given of a clip."""

    @property
    def guesses(self) -> tuple[str, ...]:
        """What the sources leave open and how it was resolved."""


def bibtex(cards: Iterable[SystemCard]) -> str:
    """One ``@misc`` entry per card, under the name of the system.

    Cards hold a citation as one string, which becomes the ``howpublished`` of an entry without an author: whoever
    cites a paper takes its own entry, this one says which paper it is.

    Examples
    --------
    >>> from asc_bench.systems.base import Card
    >>> print(bibtex([Card(name="x", title="X & co", citation="A. Author, 2020", year=2020, input="")]), end="")
    @misc{x,
      title = {X \\& co},
      year = {2020},
      howpublished = {A. Author, 2020},
    }
    """
    entries = []
    for card in cards:
        fields = {"title": card.title, "year": card.year, "howpublished": card.citation}
        lines = [f"  {name} = {{{latex(one_line(text))}}}," for name, text in fields.items()]
        # Braces, commas and the like would end the key.
        key = re.sub(r"[^A-Za-z0-9_.:-]+", "-", card.name)
        entries.append("\n".join([f"@misc{{{key},", *lines, "}"]))
    return "\n\n".join(entries) + ("\n" if entries else "")
