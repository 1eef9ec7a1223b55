"""Classes without a file: whatever moves their numbers moves their digest, and nothing else does."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from asc_bench import registry
from asc_bench.errors import ConfigError
from asc_bench.notebook_code import file_of, typed_code

CELL = '''
import functools
from dataclasses import dataclass
import numpy as np
from asc_bench.api import Budget, Card, Params, System

SCALE = 2.0
TABLE = np.arange(4.0)
OPTIONS = {"gain": [1, 2]}

def helper(x):
    """Scale."""
    return deeper(x) * SCALE

def deeper(x):
    return x + 1

def decorated(function):
    @functools.wraps(function)
    def inner(self):
        return function(self)
    return inner

class Base:
    rate = 0.1
    def step(self):
        return self.rate

class Typed(Base):
    @dataclass(frozen=True, kw_only=True)
    class Params(Params):
        width: int = 8

    def fit(self):
        # a comment
        return helper(1.0) + TABLE.sum() + OPTIONS["gain"][0] + Budget.QUICK.value.__len__()

    @property
    def front_end(self):
        return [np.log(2.0) for _ in range(3)]

    @staticmethod
    def still():
        return {"a", "b"}

    @decorated
    def wrapped(self):
        return 5

    @functools.lru_cache
    def kept(self):
        return 7

    def predict(self):
        super().__init__()
        def inside():
            return 11
        return inside()

unused = open
'''


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A main module without a file, as a notebook has."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    yield main


def digest(session: types.ModuleType, source: str, cell: str = "<ipython-input-1>") -> dict[str, str]:
    vars(session).clear()
    vars(session)["__name__"] = "__main__"
    exec(compile(source, cell, "exec", dont_inherit=True), vars(session))
    return typed_code(vars(session)["Typed"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 2.0", "SCALE = 2.5"),
        ("np.arange(4.0)", "np.arange(5.0)"),
        ('"gain": [1, 2]', '"gain": [1, 3]'),
        ("deeper(x) * SCALE", "deeper(x) + SCALE"),
        ("return x + 1", "return x + 2"),
        ("rate = 0.1", "rate = 0.2"),
        ("width: int = 8", "width: int = 9"),
        ("np.log(2.0)", "np.log(3.0)"),
        ("np.log(2.0)", "np.exp(2.0)"),
        ('{"a", "b"}', '{"a", "c"}'),
        ("return 5", "return 6"),
        ("return 7", "return 8"),
        ("return 11", "return 12"),
        ("return function(self)", "return 2 * function(self)"),
        ("def still():", "def still(a=1):"),
        ("return self.rate", "return -self.rate"),
    ],
)
def test_what_moves_numbers_counts(session: types.ModuleType, old: str, new: str) -> None:
    assert CELL.count(old) == 1
    assert digest(session, CELL.replace(old, new)) != digest(session, CELL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another one"),
        ('"""Scale."""', '"""Multiply."""'),
        ("unused = open", "unused = print"),
        ("\nclass Base", "\n\n\n\nclass Base"),
        ("import functools\n", "import functools\nimport json\n"),
    ],
)
def test_what_moves_none_does_not(session: types.ModuleType, old: str, new: str) -> None:
    changed = CELL.replace(old, new)
    assert changed != CELL
    assert digest(session, changed, "<ipython-input-2>") == digest(session, CELL)


def test_files_of_ones_own_count(
    session: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    helper, weights = tmp_path / "typed_helper.py", tmp_path / "weights.bin"
    cells = (
        "import typed_helper\nclass Typed:\n    def fit(self): return typed_helper.gain()\n",
        "from typed_helper import gain\nclass Typed:\n    def fit(self): return gain()\n",
        "class Typed:\n    def fit(self):\n        import typed_helper\n        return typed_helper.gain()\n",
    )
    for n, cell in enumerate(cells):
        helper.write_text(f"def gain(): return {n}\n")
        sys.modules.pop("typed_helper", None)
        before = digest(session, cell)
        helper.write_text(f"def gain(): return {n} + 1000\n")
        if "typed_helper" in sys.modules:
            with pytest.raises(ConfigError, match="gain in memory is another one"):
                digest(session, cell)
            del sys.modules["typed_helper"]
        assert digest(session, cell) != before, cell
    weights.write_text("one")
    cell = f"PLACE = {str(weights)!r}\nclass Typed:\n    def fit(self): return open(PLACE).read()\n"
    before = digest(session, cell)
    weights.write_text("two")
    assert digest(session, cell) != before
    sys.modules.pop("typed_helper", None)


def test_what_cannot_be_read_is_refused_by_name(session: types.ModuleType) -> None:
    cell = "import threading\nLOCK = threading.Lock()\nclass Typed:\n    def fit(self): LOCK.acquire()\n"
    with pytest.raises(ConfigError, match=r"'LOCK', a lock, cannot be made a part of the run key .*; define"):
        digest(session, cell)


def test_the_same_cell_in_another_process(session: types.ModuleType, tmp_path: Path) -> None:
    """Hashes of texts differ between processes, the digest does not."""
    import subprocess

    script = (
        "import sys, types; m = types.ModuleType('__main__'); sys.modules['__main__'] = m\n"
        f"exec(compile({CELL!r}, 'cell', 'exec'), vars(m))\n"
        "from asc_bench.notebook_code import typed_code\n"
        "print(sorted(typed_code(m.Typed).items()))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == str(sorted(digest(session, CELL).items()))


def test_a_class_in_a_file_has_one() -> None:
    file = file_of(registry.systems().get("sb-cnn"))
    assert file is not None
    assert file.name == "sb_cnn.py"
    assert file_of(int) is None


def test_a_class_typed_after_a_script_ran_is_not_the_script_s(session: types.ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("class Mine:\n    def f(self): return 1\n")
    vars(session)["__file__"] = str(script)
    exec(compile(script.read_text(), str(script), "exec"), vars(session))
    exec(compile("class Later:\n    def f(self): return 2\n", "<stdin>", "exec"), vars(session))
    assert file_of(vars(session)["Mine"]) == script
    assert file_of(vars(session)["Later"]) is None
