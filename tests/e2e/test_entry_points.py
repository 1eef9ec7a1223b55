"""A package outside the repository registers a system; a broken one shows why and breaks nothing."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Cli

SYSTEM = """
from asc_bench.api import Card, FrontEnd, System

class Outside(System):
    card = Card(name="outside-net", title="From outside", citation="none", year=2026, input="none")
    def front_end(self): ...
    def fit(self, train, validation, context): ...
    def predict(self, clips): ...
"""


def distribution(folder: Path, name: str, source: str, target: str) -> None:
    """What pip would leave in site-packages for a package with one entry point."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[asc_bench.systems]\n{name} = {target}\n")


def test_an_outside_package_appears_and_a_broken_one_says_why(cli: Cli, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    distribution(site, "outside_pkg", SYSTEM, "outside_pkg:Outside")
    distribution(site, "broken_pkg", "import no_such_thing\n", "broken_pkg:Net")
    distribution(site, "wrong_pkg", "class Net: pass\n", "wrong_pkg:Net")
    listed = cli("list", "systems", PYTHONPATH=str(site))
    assert listed.returncode == 0, listed.stderr
    assert "outside-net" in listed.stdout
    assert "sb-cnn" in listed.stdout
    assert "No module named 'no_such_thing'" in " ".join(listed.stdout.split())
    assert "gives no subclass of" in " ".join(listed.stdout.split())
