"""Code that was edited after it was imported is refused: its numbers would be stored under the new code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from asc_bench.errors import ConfigError
from asc_bench.loaded_code import refuse_outdated

SOURCE = '''
from __future__ import annotations
import enum, functools
from dataclasses import dataclass

SCALE = 20
LIMITS: tuple[int, int] = (1, 2)
count = 0

class Colour(enum.Enum):
    RED = 1

def decorated(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner

def helper(x):
    """Documented."""
    return [y + 1 for y in x]

@decorated
@decorated
def wrapped():
    return 5

@functools.lru_cache
def kept():
    return 6

@dataclass(frozen=True, slots=True)
class Settings:
    width: int = 8

class Model:
    rate = 0.5

    @property
    def depth(self):
        return 3

    @staticmethod
    def still():
        return "a"

    def fit(self):
        global count
        count += 1
        return lambda: 7
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two edits in one second look alike to Python
    (tmp_path / "edited_module.py").write_text(SOURCE)
    yield importlib.import_module("edited_module")
    del sys.modules["edited_module"]


def edit(module: ModuleType, old: str, new: str) -> Path:
    path = Path(str(module.__file__))
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("SCALE = 20", "SCALE = 21", "SCALE"),
        ("SCALE = 20", "SCALE = 20.0", "SCALE"),
        ("= (1, 2)", "= (1, 3)", "LIMITS"),
        ("y + 1", "y + 2", "helper"),
        ("return 5", "return 55", "wrapped"),
        ("return 6", "return 66", "kept"),
        ("return inner", "return lambda *args: inner(*args)", "decorated"),
        ("rate = 0.5", "rate = 0.6", "Model.rate"),
        ("return 3", "return 4", "Model.depth"),
        ('return "a"', 'return "b"', "Model.still"),
        ("lambda: 7", "lambda: 8", "Model.fit"),
        ("def fit(self)", "def fit(self, more=1)", "Model.fit"),
    ],
)
def test_an_edit_is_refused_until_the_module_is_loaded_again(
    module: ModuleType, old: str, new: str, name: str
) -> None:
    path = edit(module, old, new)
    with pytest.raises(ConfigError, match=rf"{path} was edited after it was imported: {name} in memory"):
        refuse_outdated(path)
    importlib.reload(module)
    refuse_outdated(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 20", "# a comment\n\nSCALE = 20"),
        ("Documented.", "Documented in other words."),
        ('    """Documented."""\n', ""),
        ("rate = 0.5", "rate = 0.5\n\n    def more(self): return 1"),
    ],
)
def test_what_moves_no_number_is_let_through(module: ModuleType, old: str, new: str) -> None:
    refuse_outdated(edit(module, old, new))


def test_what_runs_change_is_let_through(module: ModuleType) -> None:
    module.Model().fit()
    assert module.count == 1
    refuse_outdated(Path(str(module.__file__)))


def test_a_function_that_was_compiled_alone_is_let_through(module: ModuleType) -> None:
    """As IPython's autoreload does it: calls of what the file imports have other bytecode then."""
    path = edit(module, "y + 1", "len(functools.reduce(min, [[y]]))")
    text = path.read_text()
    alone: dict[str, object] = {}
    helper = text[text.index("def helper") : text.index("@decorated")]
    exec(compile(helper, str(path), "exec", dont_inherit=True), vars(module), alone)
    with pytest.raises(ConfigError, match="helper in memory"):
        refuse_outdated(path)
    module.helper.__code__ = alone["helper"].__code__
    refuse_outdated(path)


def test_what_was_taken_from_the_module_before(module: ModuleType) -> None:
    model, helper, settings = module.Model, module.helper, module.Settings
    path = edit(module, "y + 1", "y + 2")
    edit(module, "return 3", "return 4")
    importlib.reload(module)
    with pytest.raises(ConfigError, match=r"Model was taken from .* before an edit: Model.depth is another"):
        refuse_outdated(path, model)
    with pytest.raises(ConfigError, match=r"helper was taken from .*: from edited_module import helper"):
        refuse_outdated(path, helper)
    for held in (settings, module.Model, module.helper, module.wrapped):
        refuse_outdated(path, held)


def test_a_module_that_is_not_loaded_is_let_through(tmp_path: Path) -> None:
    path = tmp_path / "never_loaded.py"
    path.write_text("x = 1\n")
    refuse_outdated(path)
