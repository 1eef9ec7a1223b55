"""The documents: commands in them are commands, links lead somewhere, and the README stays short."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from asc_bench.cli.main import build_app
from asc_bench.registry import protocols
from asc_bench.runs.variant import parse_variants
from asc_bench.typed_text import split_items

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN_BY_SPHINX = ROOT / "docs" / "systems"
THEIRS = {"my-cnn", "my-corpus", "NAME", "SYSTEM", "PROTOCOL", "A", "B"}
"""Names that readers put their own in place of."""


def pages() -> Iterator[Path]:
    yield from (path for path in PAGES if WRITTEN_BY_SPHINX not in path.parents and "_build" not in path.parts)


def commands(path: Path) -> Iterator[str]:
    """Lines of code that call ``asc-bench``, with their continuations."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        found = re.match(r"(?:    |\$ )\s*(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?asc-bench (.*)", line)
        if found:
            yield found[1]


ALL = [pytest.param(path, text, id=f"{path.name}: {text[:60]}") for path in pages() for text in commands(path)]


@pytest.mark.parametrize(("path", "text"), ALL)
def test_a_command_of_the_documents_is_one(path: Path, text: str) -> None:
    verb, *arguments = shlex.split(text, comments=True)
    verbs = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
    assert verb in verbs
    given = verbs[verb].make_context(verb, arguments).params  # unknown options and wrong values raise
    systems, protocol = given.get("systems") or given.get("system") or [], given.get("protocol")
    for name in [systems] if isinstance(systems, str) else systems:
        known = ",".join(n for n in split_items(name) if n not in THEIRS and "$" not in n)
        assert not known or parse_variants(known)
    if protocol and protocol not in THEIRS:
        protocols().get(protocol)


@pytest.mark.parametrize("path", list(pages()), ids=lambda path: path.name)
def test_a_link_leads_to_a_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    lost = [t for t in targets if t and "://" not in t and not (path.parent / t).exists() and "systems/" not in t]
    assert not lost


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


@pytest.mark.slow
def test_the_first_steps_run(cli) -> None:
    texts = [text for text in commands(ROOT / "docs" / "get-started.md") if "--synthetic" in text]
    assert len(texts) == 3
    for text in texts:
        done = cli(*shlex.split(text, comments=True))
        assert done.returncode == 0, done.stderr
