"""Examples in docstrings run and say what they print."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "asc_bench": "asc_bench",
    "baselines": "asc_bench.baselines",
    "proposed": "asc_bench.proposed",
    "protocols": "asc_bench.protocols",
}
SKIPPED_FOR = ("data=", "load_results(", "verify(", "results.", "bench.", "dataset.", "check(")
"""Recordings, stored results, and minutes of computing."""


def modules() -> dict[str, int]:
    """Every module whose text holds examples, and how many."""
    found = {}
    for folder, package in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines = path.read_text(encoding="utf-8").splitlines()
            if n_examples := sum(line.lstrip().startswith(">>> ") for line in lines):
                parts = path.relative_to(ROOT / folder).with_suffix("").parts
                found[".".join((package, *parts)).removesuffix(".__init__")] = n_examples
    return found


@pytest.mark.parametrize(("module", "n_examples"), modules().items())
def test_examples(module: str, n_examples: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    imported = importlib.import_module(module)
    examples = [example for test in doctest.DocTestFinder().find(imported) for example in test.examples]
    assert len(examples) == n_examples
    assert not doctest.testmod(imported).failed
    skipped = [example.source for example in examples if example.options.get(doctest.SKIP)]
    assert not [source for source in skipped if not any(reason in source for reason in SKIPPED_FOR)]
