"""Discovery, clashes, near names and broken plug-ins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asc_bench import registry
from asc_bench.errors import ConfigError
from asc_bench.systems.base import Reason, System

BROKEN = """
import a_package_that_nobody_has
"""

NEWER = """
from asc_bench.api import *
class Newer(System):
    card = Card(name="newer", title="t", citation="c", year=2026, input="i")
    api_version = 99
    def front_end(self): ...
    def fit(self, train, validation, context): ...
    def predict(self, clips): ...
"""

THIEF = NEWER.replace('"newer"', '"sb-cnn"').replace("    api_version = 99\n", "")
BADLY_NAMED = THIEF.replace('"sb-cnn"', '"../../x"')
WITHOUT_PACKAGE = (
    THIEF.replace('"sb-cnn"', '"needy"')
    + """
    @classmethod
    def why_not(cls, params=None, *, built=None):
        return Reason("missing-dependency", "it needs tflite: pip install tflite")
"""
)
RAISING = WITHOUT_PACKAGE.replace("return", "1 / 0; return")
WITHOUT_FILE = WITHOUT_PACKAGE.replace("return", "return None if params is None else").replace(
    '"missing-dependency", "it needs tflite: pip install tflite"', '"missing-file", "no weights here"'
)
WRONG_BASE = "class NotASystem:\n    pass\n"


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASC_BENCH_PLUGINS", str(tmp_path))
    for module in [m for m in sys.modules if m.startswith("asc_bench_plugin_")]:
        monkeypatch.delitem(sys.modules, module)
    registry.systems.cache_clear()
    yield tmp_path
    registry.systems.cache_clear()


def test_the_four_systems_are_found() -> None:
    assert {"caa-net", "logmel-svm", "sample-cnn", "sb-cnn"} <= set(registry.systems().names())
    assert all(issubclass(registry.systems().get(n), System) for n in registry.systems().names())


def test_the_four_protocols_are_found() -> None:
    assert {"dcase2018", "dcase2019", "esc10", "esc50"} <= set(registry.protocols().names())


@pytest.mark.parametrize(("typo", "meant"), [("sb-cn", "sb-cnn"), ("caanet", "caa-net"), ("SB-CNN", "sb-cnn")])
def test_a_typo_is_answered_with_the_near_name(typo: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"no system '{typo}'.*'?{meant}'?"):
        registry.systems().get(typo)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (BROKEN, "ModuleNotFoundError: No module named 'a_package_that_nobody_has'"),
        ("from asc_bench.api import TorchSistem", r"ImportError: .*'TorchSistem'.*; did you mean 'TorchSystem'"),
        (NEWER, "written for version 99"),
        (THIEF, "its name is taken by .*sb_cnn.py"),
        (BADLY_NAMED, "not lower-case words"),
        (WITHOUT_PACKAGE, "^it needs tflite: pip install tflite$"),
        (RAISING, "^ZeroDivisionError: division by zero$"),
    ],
)
def test_a_bad_plugin_is_unavailable_with_its_reason_and_breaks_nothing(
    plugged: Path, source: str, reason: str
) -> None:
    built_in = registry.systems().get("sb-cnn")
    registry.systems.cache_clear()
    (plugged / "bad.py").write_text(source)
    (plugged / "good.py").write_text(THIEF.replace('"sb-cnn"', '"good"'))
    found = registry.systems()
    (bad,) = found.unavailable.values()
    import re

    assert re.search(reason, bad.reason)
    assert "good" in found.names()
    assert found.get("sb-cnn") is built_in


def test_an_unavailable_system_says_why_when_it_is_asked_for(plugged: Path) -> None:
    (plugged / "bad.py").write_text(NEWER)
    with pytest.raises(ConfigError, match="'newer' is unavailable: it was written for version 99"):
        registry.systems().get("newer")


def test_a_system_that_lacks_a_file_for_its_defaults_is_found_with_a_remark(plugged: Path) -> None:
    (plugged / "needy.py").write_text(WITHOUT_FILE)
    needy = registry.systems().get("needy")
    assert registry.remark(needy) == "unavailable: no weights here"
    assert registry.remark(registry.systems().get("sb-cnn")) == ""


def test_a_reason_is_of_a_known_kind_and_says_something() -> None:
    with pytest.raises(
        ConfigError,
        match="kind is 'no-luck', but must be one of missing-dependency, missing-file, unsupported-task",
    ):
        Reason("no-luck", "text")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'missing-file' has an empty text"):
        Reason("missing-file", " ")


def test_a_plugin_folder_that_is_none_is_an_error(plugged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_BENCH_PLUGINS", str(plugged / "absent"))
    with pytest.raises(ConfigError, match="absent, which is not a folder"):
        registry.systems()


def test_a_glob_without_a_match_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no system matches 'x\*'; there are .*sb-cnn"):
        registry.systems().match("x*")


def test_listing_imports_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys; from asc_bench.registry import systems, protocols; "
        "assert systems().names() and protocols().names(); "
        "heavy = {'torch', 'sklearn', 'librosa', 'matplotlib', 'scipy.stats'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
