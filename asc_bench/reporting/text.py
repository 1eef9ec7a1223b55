"""How numbers and foreign strings are formatted in tables."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable

from asc_bench.scoring.statistic import Unit

MISSING = "–"
MINUS = "−"
SOURCE_ONLY = "source-only baseline"
"""Row of a baseline that knows nothing of a clip but its source."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MISSING: "--",
    MINUS: "$-$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "…": r"\ldots{}",
}
_MARKDOWN = {"&": "&amp;", "<": "&lt;", **{c: f"\\{c}" for c in "\\|`*_"}}


def one_line(text: object, *, limit: int | None = None) -> str:
    """Foreign text as one line of printable characters, without terminal codes and direction marks.

    Longer text than ``limit`` characters is cut and ends in an ellipsis.
    """
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in str(text))
    line = re.sub(r"\s+", " ", kept).strip()
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def latex(text: str) -> str:
    """Escape text for LaTeX, so that it prints as it reads here."""
    return "".join(_LATEX.get(c, c) for c in text)


def markdown(text: str) -> str:
    """Escape text for a cell or a paragraph of GitHub-flavoured Markdown."""
    return "".join(_MARKDOWN.get(c, c) for c in text).replace("](", "]\\(")


def percent(fraction: float) -> str:
    """``0.6804`` as ``68.0``."""
    return MISSING if math.isnan(fraction) else f"{100 * fraction:.1f}"


def decimals(value: float) -> str:
    """``6.1234`` as ``6.12``; three figures below one hundredth, so that what is small is not shown as none."""
    if math.isnan(value):
        return MISSING
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"


def with_interval(value: float, low: float, high: float, formatted: Callable[[float], str]) -> str:
    """A value with its bounds in brackets, or alone where there are none."""
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return formatted(value)
    return f"{formatted(value)} [{formatted(low)}, {formatted(high)}]"


def in_unit(value: float, unit: Unit) -> str:
    """A score in the unit of its measure: percent with one decimal, nats with three, ratios with two."""
    if unit == "percent" or math.isnan(value):
        return percent(value)
    return f"{value:.3f}" if unit == "nats" else decimals(value)


def difference_in(value: float, unit: Unit) -> str:
    """A signed difference of two scores: points for percent, else in the unit itself."""
    if unit == "percent" or math.isnan(value):
        return points(100 * value)
    shown = in_unit(abs(value), unit)
    return shown if float(shown) == 0 else (MINUS if value < 0 else "+") + shown


def points(difference_percent: float) -> str:
    """A difference in percentage points with its sign; what rounds to zero has none."""
    if math.isnan(difference_percent):
        return MISSING
    shown = f"{abs(difference_percent):.1f}"
    if float(shown) == 0:
        return shown
    return (MINUS if difference_percent < 0 else "+") + shown


def p_value(p: float) -> str:
    """Three decimals, and never a bare 0 or 1: ``< 0.001``, ``0.107``, ``> 0.999``."""
    if math.isnan(p):
        return MISSING
    if p < 0.001:
        return "< 0.001"
    return "> 0.999" if p > 0.999 else f"{p:.3f}"


def z_value(z: float) -> str:
    """Two decimals."""
    return MISSING if math.isnan(z) else f"{z:.2f}".replace("-", MINUS)


def quantity(number: float | None) -> str:
    """A count with three significant figures and k, M or G: ``1.23 M``; exact below 1,000."""
    if number is None or math.isnan(number):
        return MISSING
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,500 would round to "1000 k"
        if number >= 0.9995 * factor:
            scaled = number / factor
            decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{decimals}f} {unit}"
    return f"{number:.0f}"


def milliseconds(duration_ms: float | None) -> str:
    """Three significant figures, and whole ones from 100 on."""
    if duration_ms is None or math.isnan(duration_ms):
        return MISSING
    if duration_ms >= 99.95:
        return f"{duration_ms:,.0f}"
    digits = 1 if duration_ms >= 9.995 else 2 if duration_ms >= 0.9995 else 3
    return f"{duration_ms:.{digits}f}"


def watt_hours(energy_wh: float | None) -> str:
    """Three significant figures."""
    return MISSING if energy_wh is None or math.isnan(energy_wh) else f"{energy_wh:#.3g}".rstrip(".")


def seconds(duration_s: float | None) -> str:
    """Whole seconds from 100 on, one decimal below."""
    if duration_s is None or math.isnan(duration_s):
        return MISSING
    return f"{duration_s:,.0f}" if duration_s >= 99.95 else f"{duration_s:.1f}"
