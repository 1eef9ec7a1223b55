"""The page as one HTML document: template, style, scripts and numbers put together."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.page.content import content

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = "asc_bench.reporting.page"
_SCRIPTS = (
    "dom.js",
    "plot.js",
    "differences.js",
    "table.js",
    "scores.js",
    "costs.js",
    "classes.js",
    "confusion.js",
    "published.js",
    "about.js",
    "main.js",
)
"""In this order they make one script: each uses only what stands before it."""


def html_page(evaluation: Evaluation, *, files: Mapping[str, str]) -> str:
    """Lay out the results page.

    Parameters
    ----------
    evaluation : Evaluation
        What is shown.
    files : mapping
        Name to text of the files that the page offers for download, in the order wanted.

    Returns
    -------
    str
        A whole HTML document that needs nothing else. Foreign strings are in it twice over at most: escaped by the
        template, and as JSON that the script writes into the page as text, never as markup.
    """
    style = _text("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(map(_text, _SCRIPTS)) + "})();"
    shown = content(evaluation, files=files)
    return _template().render(
        shown=shown,
        results=evaluation.results(),
        data=script_safe(shown),
        style=style,
        script=script,
        # Only this very style and script: were a string to slip through the escaping, a browser would neither run
        # it nor fetch anything for it.
        policy="default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'",
    )


def script_safe(value: Any) -> str:
    """JSON that cannot end the script element that it stands in, nor begin a comment there."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _text(name: str) -> str:
    return (resources.files(_FOLDER) / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    # Not by file name, which ends in .j2 and would escape nothing.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_text("page.html.j2"))
