from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import asc_bench
from asc_bench.own_code import is_own, own_code


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A researcher's package on the path, with helpers that are imported in every way."""
    files = {
        "mylab/__init__.py": "",
        "mylab/system.py": (
            "import numpy\nimport asc_bench.api\nfrom . import near\nfrom .deep.far import x\nimport flat\n"
            "def build():\n    from mylab.late import y\n    import importlib\n"
            "    importlib.import_module('mylab.named')\n"
        ),
        "mylab/near.py": "a = 1\n",
        "mylab/late.py": "from mylab import taken\n",
        "mylab/taken.py": "",
        "mylab/named.py": "",
        "mylab/deep/__init__.py": "from .. import up\n",
        "mylab/deep/far.py": "x = 1\n",
        "mylab/up.py": "",
        "mylab/unused.py": "z = 1\n",
        "mylab/weights.npy": "numbers",
        "flat.py": "b = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_imports_are_followed_in_every_form_and_nothing_is_imported(lab: Path) -> None:
    found = own_code(lab / "mylab" / "system.py")
    names = {Path(name).name if name.startswith("/") else name for name in found}
    assert names == {
        "system.py", "__init__.py", "near.py", "late.py", "taken.py", "named.py", "up.py",
        "deep/__init__.py", "deep/far.py", "flat.py", "weights.npy",
    }  # fmt: skip
    assert "mylab" not in sys.modules and "flat" not in sys.modules


@pytest.mark.parametrize(
    "name", ["near.py", "late.py", "taken.py", "named.py", "up.py", "deep/far.py", "../flat.py"]
)
def test_a_change_in_any_of_them_is_seen_and_a_comment_is_not(lab: Path, name: str) -> None:
    start = lab / "mylab" / "system.py"
    before = own_code(start)
    path = lab / "mylab" / name
    text = path.read_text()
    path.write_text(f'"""What this is."""\n# a remark\n{text}')
    assert own_code(start) == before
    path.write_text(f"{text}\nnew = 2\n")
    assert own_code(start) != before


def test_weights_beside_the_code_count_and_unused_modules_do_not(lab: Path) -> None:
    start = lab / "mylab" / "system.py"
    before = own_code(start)
    (lab / "mylab" / "unused.py").write_text("z = 2\n")
    assert own_code(start) == before
    (lab / "mylab" / "weights.npy").write_text("zeros")
    assert own_code(start) != before


def test_files_that_import_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from . import two\n")
    (tmp_path / "two.py").write_text("from . import one\n")
    assert set(own_code(tmp_path / "one.py")) == {"one.py", "two.py"}


def test_what_a_plug_in_takes_from_a_built_in_system_counts(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from asc_bench.baselines._raw_cnn_network import RawCnnNetwork\n")
    assert any(name.endswith("_raw_cnn_network.py") for name in own_code(tmp_path / "mine.py"))
    (tmp_path / "mine.py").write_text("from asc_bench.modules.pooling import AttentionPooling\n")
    assert any(name.endswith("modules/pooling.py") for name in own_code(tmp_path / "mine.py"))


def test_installed_packages_and_the_harness_are_not_own(tmp_path: Path) -> None:
    for module in (ast, np, asc_bench):
        assert not is_own(Path(str(module.__file__)))
    assert is_own(tmp_path / "x.py")
