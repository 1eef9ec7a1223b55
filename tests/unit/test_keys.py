"""What forces a run to be computed again, and what does not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from asc_bench import registry
from asc_bench.bench import keys
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.data.manifest import Dataset
from asc_bench.features.frontends import FrontEnd, LogMel
from asc_bench.runs.plan import plan
from asc_bench.runs.variant import parse_variants

TOYS = (Path(__file__).parents[1] / "plugins" / "toys.py").read_text()


def key_of(bench: Bench, system: str = "logmel-svm", **changes: object) -> str:
    options: dict[str, object] = {"budget": Budget.SMOKE, **changes}
    return plan(bench, parse_variants(system), **options)[0].key  # type: ignore[arg-type]


@pytest.fixture
def toy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plug-in file that a test may edit."""
    path = tmp_path / "plugged" / "toys.py"
    path.parent.mkdir()
    path.write_text(TOYS)
    monkeypatch.setenv("ASC_BENCH_PLUGINS", str(path.parent))
    return path


def toy_key(bench: Bench) -> str:
    """The key as a new process would find it."""
    for name in [m for m in sys.modules if m.startswith("asc_bench_plugin_")]:
        del sys.modules[name]
    registry.systems.cache_clear()
    try:
        return key_of(bench, "toy-a")
    finally:
        registry.systems.cache_clear()


def test_each_ingredient_changes_the_key(bench: Bench) -> None:
    clips = bench.dataset.clips
    digests = dict(bench.dataset.file_digests)
    relabelled = clips.assign(scene=["bus", *clips["scene"][1:]])
    recorded = {**digests, clips["path"][0]: "0" * 64}

    class NewVersion(type(bench.protocol)):  # type: ignore[misc]
        version = 99

    def on(dataset: Dataset) -> Bench:
        return replace(bench, dataset=dataset)

    variants = {
        "same": key_of(bench),
        "label": key_of(on(replace(bench.dataset, clips=relabelled))),
        "audio": key_of(on(replace(bench.dataset, file_digests=recorded))),
        "protocol": key_of(replace(bench, protocol=NewVersion())),
        "parameter": key_of(bench, "logmel-svm[C=1.0]"),
        "system": key_of(bench, "sb-cnn"),
        "repeat": key_of(bench, repeats=[1]),
        "budget": key_of(bench, budget=Budget.PAPER),
    }
    assert len(set(variants.values())) == len(variants), variants
    assert key_of(bench) == variants["same"]


def test_where_the_data_lie_does_not_matter(bench: Bench) -> None:
    moved = bench.dataset.clips.assign(path="/elsewhere" + bench.dataset.clips["path"])
    digests = {f"/elsewhere{path}": digest for path, digest in bench.dataset.file_digests.items()}
    dataset = replace(bench.dataset, clips=moved, file_digests=digests)
    assert key_of(replace(bench, dataset=dataset)) == key_of(bench)


def test_a_source_line_counts_and_a_comment_does_not(bench: Bench, toy_file: Path) -> None:
    before = toy_key(bench)
    toy_file.write_text("# a remark\n" + TOYS.replace('"""Systems that', '"""Toy systems that'))
    assert toy_key(bench) == before
    toy_file.write_text(TOYS.replace("n_mels=16", "n_mels=17"))
    front_end_changed = toy_key(bench)
    toy_file.write_text(TOYS.replace(".mean(1)", ".max(1)"))
    assert len({before, front_end_changed, toy_key(bench)}) == 3


def test_code_parts_reach_through_imports_inside_functions_and_stop_at_the_harness() -> None:
    parts = keys.code_parts(registry.systems().get("sb-cnn"))
    assert "asc_bench.training.loop" in parts
    assert "asc_bench.data.audio" in parts
    assert not [m for m in parts if m.startswith(("asc_bench.cli", "asc_bench.experiment", "asc_bench.reporting"))]


def test_changed_parts_are_named() -> None:
    before = {"seed": 1, "code": {"system": "a", "loop": "b"}, "gone": 1}
    now = {"seed": 1, "code": {"system": "a", "loop": "c"}, "came": 1}
    assert keys.changed_parts(before, now) == ["came", "code: loop", "gone"]


def test_files_beside_a_system_that_it_imports_count(tmp_path: Path) -> None:
    """Also through another such file, and never one that nothing imports."""
    (tmp_path / "_inner.py").write_text("x = 1\n")
    (tmp_path / "_net.py").write_text("from ._inner import x\n")
    (tmp_path / "_stranger.py").write_text("y = 1\n")
    source = tmp_path / "with_sibling.py"
    source.write_text("class Toy:\n    def build(self):\n        from . import _net\n")
    spec = importlib.util.spec_from_file_location("with_sibling", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["with_sibling"] = module
    spec.loader.exec_module(module)

    def parts() -> dict[str, str]:
        for cached in (keys._file_digest, keys._tree, keys._imports):
            cached.cache_clear()
        return keys.code_parts(module.Toy)

    before = parts()
    assert {"system", "_net.py", "_inner.py"} <= set(before) and "_stranger.py" not in before
    (tmp_path / "_inner.py").write_text("x = 2\n")
    after = parts()
    assert {name for name in after if after[name] != before[name]} == {"_inner.py"}


def test_further_names_in_the_api_change_no_key() -> None:
    parts = keys.code_parts(registry.systems().get("sb-cnn"))
    assert "asc_bench.api" not in parts and "asc_bench.systems.torch_system" in parts


def test_only_where_the_taken_names_come_from_counts() -> None:
    svm, cnn = (keys.code_parts(registry.systems().get(name)) for name in ("logmel-svm", "sb-cnn"))
    assert "asc_bench.systems.sklearn_system" in svm and "asc_bench.systems.torch_system" not in svm
    assert "asc_bench.systems.torch_system" in cnn and "asc_bench.systems.sklearn_system" not in cnn
    assert "asc_bench.features.frontends" in set(svm) & set(cnn)


@pytest.mark.parametrize("module", ["baselines.cnn_ivector", "baselines.n_cnn", "proposed.hierarchical_cnn"])
def test_all_that_importing_a_system_loads_is_in_its_provenance(module: str) -> None:
    """What Python itself loads, before any method runs."""
    code = f"import asc_bench.{module}, sys; print(*(m for m in sys.modules if m.startswith('asc_bench.')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rooms = tuple(f"asc_bench.{room}." for room in ("features", "modules", "systems", "training"))
    loaded = {m for m in done.stdout.split() if m.startswith(rooms)}
    (system,) = (cls for cls in registry.systems().found.values() if cls.__module__ == f"asc_bench.{module}")
    assert loaded and loaded <= set(keys.code_parts(system))


def test_names_that_a_method_takes_from_the_api_are_in_the_provenance_and_no_others() -> None:
    """Those that networks and statistics of training come from are never imported with the file itself."""
    parts = keys.code_parts(registry.systems().get("cnn-ivector"))
    assert {f"asc_bench.{m}" for m in ("systems.calibration", "training.checkpoint", "features.mfcc")} <= set(parts)
    assert not {
        f"asc_bench.{m}" for m in ("features.hpss", "systems.probes", "registry", "analysis.filters")
    } & set(parts)


def test_a_module_that_the_api_passes_on_is_followed_itself() -> None:
    assert keys._passed_on("asc_bench.api")["tags"] == "asc_bench.data.tags"
    assert keys._passed_on("asc_bench.api")["Batch"] == "asc_bench.training.batches"


@pytest.mark.parametrize(
    "line", ["import asc_bench.api", "from asc_bench.api import *", "from asc_bench import api"]
)
def test_who_takes_the_whole_api_depends_on_all_that_it_passes_on(tmp_path: Path, line: str) -> None:
    source = tmp_path / "whole_api.py"
    source.write_text(f"{line}\nclass Toy:\n    pass\n")
    spec = importlib.util.spec_from_file_location("whole_api", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["whole_api"] = module
    spec.loader.exec_module(module)
    for cached in (keys._file_digest, keys._tree, keys._imports):
        cached.cache_clear()
    parts = keys.code_parts(module.Toy)
    assert {"asc_bench.systems.torch_system", "asc_bench.systems.sklearn_system"} <= set(parts)


def test_built_in_systems_and_front_ends_declare_their_numerics() -> None:
    """In their own bodies: an inherited integer would not be raised with a change in the class itself."""
    undeclared = [name for name, cls in registry.systems().found.items() if "numerics_version" not in vars(cls)]
    assert [name for name in undeclared if not name.startswith("toy-")] == []
    front_ends = [cls for cls in subclasses(FrontEnd) if cls.__module__.startswith("asc_bench.")]
    assert front_ends and all(vars(cls).get("numerics_version") for cls in front_ends)


def subclasses(cls: type) -> list[type]:
    return [own for child in cls.__subclasses__() for own in (child, *subclasses(child))]


def test_the_code_of_a_system_that_declares_its_numerics_is_no_part_of_the_key(bench: Bench) -> None:
    (spec,) = plan(bench, parse_variants("sb-cnn"), budget=Budget.SMOKE)
    (told,) = spec.parts["numerics"].values()  # type: ignore[misc]
    assert set(told) == {"versions"} and set(told["versions"]) == {"LogMel", "SbCnn", "TorchSystem", "audio"}
    assert len(spec.code) == 64, "the code stays known"


def test_raising_an_integer_changes_the_key(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(bench, "sb-cnn"), key_of(bench, "logmel-svm")
    for cls in (registry.systems().get("sb-cnn"), registry.systems().get("sb-cnn").__mro__[1], LogMel):
        with monkeypatch.context() as patch:
            patch.setattr(cls, "numerics_version", 2)
            assert key_of(bench, "sb-cnn") != before[0]
            assert (key_of(bench, "logmel-svm") != before[1]) == (cls is LogMel)
    assert (key_of(bench, "sb-cnn"), key_of(bench, "logmel-svm")) == before


def test_a_system_derived_from_a_built_in_one_is_keyed_by_its_own_code(tmp_path: Path) -> None:
    source = tmp_path / "derived_cnn.py"
    source.write_text("from asc_bench.baselines.sb_cnn import SbCnn\nclass Mine(SbCnn):\n    pass\n")
    mine = imported(source).Mine
    told = keys.numerics(mine, None)
    assert "derived_cnn.py" in told["code"] and told["versions"]["SbCnn"] == 1  # type: ignore[operator, index]


def imported(source: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[source.stem] = module
    spec.loader.exec_module(module)
    return module


def test_versions_below_one_count_by_their_minor_part() -> None:
    assert [keys.significant(v) for v in ("2.13.0", "0.11.0", "0.12", "10.1")] == ["2", "0.11", "0.12", "10"]
    assert keys.versions()["torch"] == "2" and keys.versions()["librosa"].startswith("0.")


def test_an_integer_in_a_plug_in_switches_no_protection_off(bench: Bench, toy_file: Path) -> None:
    declared = TOYS.replace("class ToyA(Toy):", "class ToyA(Toy):\n    numerics_version = 1")
    toy_file.write_text(declared)
    before = toy_key(bench)
    toy_file.write_text(declared.replace(".mean(1)", ".max(1)"))
    assert toy_key(bench) != before


WITH_WEIGHTS = """
from dataclasses import dataclass
from asc_bench.api import Card, LogMel, Params, System

@dataclass(frozen=True, kw_only=True)
class Settings(Params):
    weights: str = ""

class Weighted(System):
    card = Card(name="weighted", title="t", citation="none", year=2026, input="log-mel")
    Params = Settings
    def front_end(self):
        return LogMel(
            sample_rate_hz=8_000, n_fft=512, window_length=512, hop_length=512,
            n_mels=8, fmin_hz=0.0, fmax_hz=4_000.0,
        )
    def fit(self, train, validation, context): ...
    def predict(self, clips): ...
"""


def test_files_and_folders_that_settings_name_count(bench: Bench, toy_file: Path, tmp_path: Path) -> None:
    (toy_file.parent / "weighted.py").write_text(WITH_WEIGHTS)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "w.pt").write_text("one")
    registry.systems.cache_clear()
    try:
        for named in (folder / "w.pt", folder):
            before = key_of(bench, f"weighted[weights={named}]")
            (folder / "w.pt").write_text(f"other, for {named}")
            assert key_of(bench, f"weighted[weights={named}]") != before
    finally:
        registry.systems.cache_clear()
