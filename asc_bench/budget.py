"""How much a run may cost."""

from __future__ import annotations

from enum import StrEnum


class Budget(StrEnum):
    """Part of every run key and every table title.

    ``PAPER`` trains as published. ``QUICK`` keeps the published architecture and trains it for a few CPU
    minutes. ``SMOKE`` is narrower and very short: for tests and demonstrations, never for a number worth
    quoting.
    """

    SMOKE = "smoke"
    QUICK = "quick"
    PAPER = "paper"
