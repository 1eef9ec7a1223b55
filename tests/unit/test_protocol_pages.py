"""Pages of protocols are what the classes say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from asc_bench.registry import protocols

FOLDER = Path(__file__).parents[2] / "docs" / "protocols"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pages", FOLDER / "make_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_up_to_date(maker: ModuleType) -> None:
    wanted = maker.pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    old = [name for name in wanted if there.get(name) != wanted[name]]
    assert not old, "run python docs/protocols/make_pages.py"
    assert set(there) == set(wanted)


def test_every_protocol_has_a_page_with_its_traps(maker: ModuleType) -> None:
    wanted = maker.pages()
    built_in = [name for name in protocols().names() if protocols().get(name).__module__.startswith("asc_bench.")]
    assert set(wanted) == {"README.md", *(f"{name}.md" for name in built_in)}
    for name in built_in:
        text = wanted[f"{name}.md"]
        assert maker.traps(name)
        for section in ("## Data", "## What is counted", "## Traps", "## Run it"):
            assert section in text, name
        assert f"asc-bench run -p {name} " in text
        for measure in protocols().get(name).measures:
            assert measure.column in text


def test_what_a_page_says_of_an_official_set(maker: ModuleType) -> None:
    text = maker.pages()["dcase2020-3class.md"]
    assert "14,400 clips of 10 s, 48 kHz, stereo; independent by location." in text
    assert "`asc-bench prepare tau-2020-3class --download --data DIR` fetches 23 archives" in text
    assert "| fold1 | train | 9,185 | A 9,185 |" in text
    assert "| DCASE 2020 Task 1B baseline | accuracy: 87.3; log loss: 0.437; " in text
    assert "zip -s 0 CochlScene.zip" in maker.pages()["cochlscene.md"]
    assert "asc-bench report -p dcase2024`" in maker.pages()["dcase2024-5.md"]
