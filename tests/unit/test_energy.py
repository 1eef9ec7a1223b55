"""The electricity of a run: units, short runs, failures, and no request to a network."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.reporting.text import watt_hours
from asc_bench.runs import energy
from asc_bench.runs.plan import plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import variant_of
from tests.unit.test_inference_time import Watched, evaluated

# In kWh and kg, as codecarbon counts.
FOUND = SimpleNamespace(
    duration=3600.0,
    energy_consumed=0.0035,
    cpu_energy=0.0015,
    gpu_energy=0.0,
    ram_energy=0.002,
    emissions=0.00125,
    country_iso_code="DEU",
    codecarbon_version="3.3.2",
)
ENTRY = {
    "total_wh": 3.5,
    "cpu_wh": 1.5,
    "gpu_wh": 0.0,
    "ram_wh": 2.0,
    "co2_g": 1.25,
    "country": "DEU",
    "duration_s": 3600.0,
    "cpu": "estimated from TDP and the load of the process",
    "ram": "estimated from its size",
    "codecarbon": "3.3.2",
}


class Fake:
    """In place of codecarbon's tracker."""

    made: list[Fake]
    fails_at = ""

    def __init__(self, **settings: Any) -> None:
        self.settings, self.calls = settings, list[str]()
        self._hardware = [SimpleNamespace(), SimpleNamespace(_mode="cpu_load")]
        self.final_emissions_data = FOUND
        type(self).made.append(self)

    def start(self) -> None:
        self._call("start")

    def stop(self) -> None:
        self._call("stop")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise RuntimeError("no such counter")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setattr(Fake, "made", [], raising=False)
    monkeypatch.setattr(energy, "import_module", lambda name: SimpleNamespace(OfflineEmissionsTracker=Fake))
    return Fake


def run(bench: Bench, cache: Path, folder: Path, country: str) -> StoredRun:
    (spec,) = plan(bench, [variant_of(Watched)], budget=Budget.SMOKE, repeats=range(1))
    settings = Settings(cache, energy=country)
    found = run_once(spec, bench, ResultsStore(folder), settings, lambda fraction, text: None)
    assert found is not None and found.done
    return found


def test_a_manifest_has_watt_hours_and_grams(bench: Bench, cache: Path, tmp_path: Path, fake: type[Fake]) -> None:
    with_, without = run(bench, cache, tmp_path / "with", "DEU"), run(bench, cache, tmp_path / "without", "")
    assert with_.manifest["energy"] == ENTRY
    assert "energy" not in without.manifest and with_.manifest["files"] == without.manifest["files"]
    (tracker,) = fake.made
    assert tracker.calls == ["start", "stop"]
    assert tracker.settings["country_iso_code"] == "DEU" and tracker.settings["tracking_mode"] == "process"
    assert tracker.settings["output_methods"] == [] and tracker.settings["electricitymaps_api_token"] is None


@pytest.mark.parametrize("moment", ["start", "stop"])
def test_energy_that_cannot_be_found_costs_no_run(
    bench: Bench,
    cache: Path,
    tmp_path: Path,
    fake: type[Fake],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    moment: str,
) -> None:
    monkeypatch.setattr(fake, "fails_at", moment)
    assert run(bench, cache, tmp_path, "DEU").manifest["energy"] == {
        "not_measured": "RuntimeError: no such counter"
    }
    assert "energy was not measured: RuntimeError: no such counter" in caplog.text


def test_it_ends_with_a_run_that_fails(fake: type[Fake]) -> None:
    with pytest.raises(ZeroDivisionError), energy.energy_of("DEU"):
        _ = 1 / 0
    assert fake.made[0].calls == ["start", "stop"]


def test_a_run_of_seconds_has_no_value_and_no_warning(
    fake: type[Fake], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(FOUND, "duration", 3.21)
    with energy.energy_of("DEU") as found:
        pass
    assert found == {"not_measured": "the run took 3.2 s; of less than 20 s too little is seen"}
    assert not caplog.records


def test_countries_that_there_are_not_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert energy.check_country("") == ""
    monkeypatch.setattr(energy, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"energy needs the package codecarbon: pip install 'asc-bench\[energy\]'"
    ):
        energy.check_country("DEU")


def test_codecarbon_asks_no_network_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("codecarbon")
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **more: asked.append(address))
    monkeypatch.chdir(tmp_path)
    # What a user may have set for other work.
    monkeypatch.setenv("CODECARBON_SAVE_TO_FILE", "true")
    monkeypatch.setenv("CODECARBON_OUTPUT_METHODS", "csv,api")
    monkeypatch.setenv("CODECARBON_ELECTRICITYMAPS_API_TOKEN", "secret")
    monkeypatch.setattr(energy, "SHORTEST_S", 0.0)
    assert energy.check_country("deu") == "DEU"
    with pytest.raises(ConfigError, match=r"energy is 'DEX', but must be the ISO code of a country.*DEU"):
        energy.check_country("DEX")
    begun = time.perf_counter()
    with energy.energy_of("DEU") as found:
        while time.perf_counter() - begun < 1.0:
            sum(range(1000))
    assert isinstance(found["total_wh"], float) and found["total_wh"] > 0, found
    parts = [found[f"{part}_wh"] for part in ("cpu", "gpu", "ram")]
    assert found["total_wh"] == pytest.approx(sum(parts), abs=1e-5)  # type: ignore[arg-type]
    assert str(found["cpu"]).startswith(("estimated from TDP", "measured"))
    # Germany's mix lies between that of a wind turbine and that of a lignite plant, in g/Wh.
    assert 0.01 < found["co2_g"] / found["total_wh"] < 1.2  # type: ignore[operator]
    assert not asked and not list(tmp_path.iterdir())


def test_tables_show_it_where_it_is_known() -> None:
    made = evaluated(None, None)
    assert "energy (Wh)" not in made.results().columns and "energy_wh" not in made.tidy()
    first, second = made.manifests
    made.manifests[:] = [first, {**second, "energy": ENTRY}]  # type: ignore[index]
    table = made.results()
    column = {row[0].split()[0]: row[table.columns.index("energy (Wh)")] for row in table.rows}
    assert column == {"s0": "–", "s1": "3.50"}
    assert "energy (Wh): mean over runs, by codecarbon 3.3.2: CPU estimated from TDP" in " ".join(table.notes)
    tidy = made.tidy().set_index("system")
    assert tuple(tidy.loc["s1", ["energy_wh", "co2_g"]]) == (3.5, 1.25)
    assert pd.isna(tidy.loc["s0", "energy_wh"])


def test_watt_hours() -> None:
    assert [watt_hours(wh) for wh in (None, 0.012345, 3.5, 123.4, float("nan"))] == [
        "–",
        "0.0123",
        "3.50",
        "123",
        "–",
    ]
