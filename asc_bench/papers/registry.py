"""Published tables and figures by name."""

from __future__ import annotations

import inspect
import re
from functools import cache

from asc_bench.papers.figure import PaperFigure
from asc_bench.papers.item import PaperItem
from asc_bench.papers.table import Reproduction
from asc_bench.registry import NAME, Registry, discover

PAPER_NAME = re.compile(rf"{NAME.pattern}/{NAME.pattern}")


@cache
def reproductions() -> Registry[type[Reproduction]]:
    """Every published table that can be run again, by ``system/table``."""
    packages = ("asc_bench.baselines", "asc_bench.proposed")
    return discover("reproduction", Reproduction, _paper_fault, packages)  # type: ignore[type-abstract]


@cache
def figures() -> Registry[type[PaperFigure]]:
    """Every published figure that can be drawn again, by ``system/figure``."""
    packages = ("asc_bench.baselines", "asc_bench.proposed")
    return discover("figure", PaperFigure, _paper_fault, packages)  # type: ignore[type-abstract]


def _paper_fault(cls: type[PaperItem]) -> str | None:
    if not PAPER_NAME.fullmatch(cls.name):
        return f"its name {cls.name!r} is not of the form system/item, in lower-case words joined by hyphens"
    if inspect.isabstract(cls):
        return f"it lacks {', '.join(sorted(cls.__abstractmethods__))}"
    return None
