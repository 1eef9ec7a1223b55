"""The card of a system that stored runs are of, and the cards of all of them for a reference manager."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from asc_bench.registry import systems
from asc_bench.reporting.setting import Manifest
from asc_bench.reporting.text import latex, one_line
from asc_bench.systems.base import Card


def card_of(manifest: Manifest) -> Card | None:
    """Card of the system of a run; None for one that this installation lacks, such as somebody else's own."""
    found = systems().found.get(str(manifest["system"]))
    return None if found is None else found.card


def cards_of(manifests: Sequence[Manifest]) -> list[Card]:
    """One card for each system that this installation has, sorted by name."""
    cards = {card.name: card for card in map(card_of, manifests) if card is not None}
    return [cards[name] for name in sorted(cards)]


def bibtex(cards: Iterable[Card]) -> str:
    """One ``@misc`` entry per card, under the name of the system.

    Cards hold a citation as one string, which becomes the ``howpublished`` of an entry without an author: whoever
    cites a paper takes its own entry, this one says which paper it is.

    Examples
    --------
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
