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
from asc_bench.reporting.page.place import ALONE, Place

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = "asc_bench.reporting.page"
_SCRIPTS = (
    "theme.js",
    "dom.js",
    "plot.js",
    "differences.js",
    "table.js",
    "scores.js",
    "costs.js",
    "classes.js",
    "confusion.js",
    "curves.js",
    "published.js",
    "about.js",
    "main.js",
)
"""In this order they make one script: each uses only what stands before it."""


def html_page(evaluation: Evaluation, *, files: Mapping[str, str], place: Place = ALONE) -> str:
    """Lay out the results page.

    Parameters
    ----------
    evaluation : Evaluation
        What is shown.
    files : mapping
        Name to text of the files that the page offers for download, in the order wanted.
    place : Place
        Among the pages of a site; by default the page stands alone.

    Returns
    -------
    str
        A whole HTML document that needs nothing else. Foreign strings are in it twice over at most: escaped by the
        template, and as JSON that the script writes into the page as text, never as markup.
    """
    style = source("page.css")
    script = as_script(*map(source, _SCRIPTS))
    shown = content(evaluation, files=files, place=place)
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            shown=shown,
            results=evaluation.results(),
            data=script_safe(shown),
            style=style,
            script=script,
            policy=policy_for(style, script),
            place=place,
        )
    )


def as_script(*parts: str) -> str:
    """Parts of a script as one, whose names no other script sees."""
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();"


def policy_for(style: str, script: str) -> str:
    """A content security policy that allows this very style and script.

    Were a string to slip through the escaping, a browser would neither run it nor fetch anything for it.
    """
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def script_safe(value: Any) -> str:
    """JSON that cannot end the script element that it stands in, nor begin a comment there."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def source(name: str, *, package: str = _FOLDER) -> str:
    """Text of a style, script or template beside this module, or in another package."""
    return (resources.files(package) / name).read_text(encoding="utf-8")


@cache
def templates(package: str = _FOLDER) -> Environment:
    """Templates of a package, which may include and extend those beside this module."""
    from jinja2 import ChoiceLoader, Environment, FunctionLoader, StrictUndefined

    def found_in(folder: str) -> FunctionLoader:
        return FunctionLoader(lambda name: source(name, package=folder) if _there(folder, name) else None)

    # Escaping is not left to the file name, which ends in .j2 and would escape nothing.
    return Environment(
        loader=ChoiceLoader([found_in(package), found_in(_FOLDER)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _there(package: str, name: str) -> bool:
    return (resources.files(package) / name).is_file()
