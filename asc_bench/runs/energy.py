"""The electricity that a run takes, measured or estimated by codecarbon, without any request to a network."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from asc_bench.errors import ConfigError
from asc_bench.names import near

ENERGY = "energy"
"""Manifest entry: the energy, or why there is none."""
NOT_MEASURED = "not_measured"

SHORTEST_S = 20.0
"""A shorter run has no value: power is sampled too few times."""
EVERY_S = 5.0
"""Seconds between two samples of the power."""

RAM = "estimated from its size"
"""How the energy of the memory comes about, always: that of all of it, whoever uses it."""

_METHODS = {
    "intel_rapl": "measured by RAPL, the whole processor",
    "cpu_load": "estimated from TDP and the load of the process",
    "constant": "estimated from TDP, half of it throughout",
}
_log = logging.getLogger("asc_bench")


def check_country(code: str) -> str:
    """The ISO code of a country, in capitals, or an empty text, by which no energy is wanted.

    Raises
    ------
    ConfigError
        For a code that codecarbon has no electricity mix of, with the near ones, or without codecarbon.
    """
    if not code:
        return ""
    if find_spec("codecarbon") is None:
        raise ConfigError("energy needs the package codecarbon: pip install 'asc-bench[energy]'")
    known = import_module("codecarbon.input").DataSource().get_global_energy_mix_data()
    if code.upper() not in known:
        hint = near(code.upper(), list(known))
        raise ConfigError(f"energy is {code!r}, but must be the ISO code of a country, such as DEU{hint}")
    return code.upper()


@contextmanager
def energy_of(country: str) -> Iterator[dict[str, object]]:
    """Watch what is computed inside.

    Parameters
    ----------
    country : str
        From ``check_country``; nothing is watched if it is empty.

    Yields
    ------
    dict
        The manifest entry, filled on leaving: ``total_wh``, ``cpu_wh``, ``gpu_wh``, ``ram_wh``, ``co2_g`` (as
        carbon dioxide, by the country's mix), ``country``, ``duration_s``, ``cpu`` and ``ram`` (measured or
        estimated, and how) and the version of ``codecarbon``; or ``not_measured``, the reason.
    """
    found: dict[str, object] = {}
    if not country:
        yield found
        return
    tracker: Any = None
    try:
        tracker = _started(country)
    except Exception as error:  # noqa: BLE001 - a run must not depend on how this machine tells its power
        found |= _failed(error)
    try:
        yield found
    finally:
        if tracker is not None:
            try:
                tracker.stop()
                found |= entry(tracker.final_emissions_data, _method(tracker))
            except Exception as error:  # noqa: BLE001 - likewise
                found |= _failed(error)


def _failed(error: Exception) -> dict[str, object]:
    reason = f"{type(error).__name__}: {error}"
    _log.warning("energy was not measured: %s", reason)
    return {NOT_MEASURED: reason}


def _started(country: str) -> Any:
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    codecarbon = import_module("codecarbon")
    tracker = codecarbon.OfflineEmissionsTracker(
        country_iso_code=country,
        measure_power_secs=EVERY_S,
        tracking_mode="process",
        log_level="error",
        allow_multiple_runs=True,
        output_methods=[],  # whatever a file of settings in the user's folder says
        electricitymaps_api_token=None,
    )
    tracker.start()
    return tracker


def _method(tracker: Any) -> str:
    """How the energy of the CPU came about; codecarbon tells it nowhere else."""
    modes = [str(part._mode) for part in getattr(tracker, "_hardware", ()) if hasattr(part, "_mode")]
    return _METHODS.get(modes[0], modes[0]) if modes else "not told by codecarbon"


def entry(data: Any, method: str) -> dict[str, object]:
    """A manifest entry from what codecarbon found, which counts in kWh and kg.

    Parameters
    ----------
    data : EmissionsData
        Of codecarbon.
    method : str
        How the energy of the CPU came about.
    """
    if data.duration < SHORTEST_S:
        return {
            NOT_MEASURED: f"the run took {data.duration:.1f} s; of less than {SHORTEST_S:.0f} s too little is seen"
        }
    return {
        "total_wh": round(1000 * data.energy_consumed, 6),
        "cpu_wh": round(1000 * data.cpu_energy, 6),
        "gpu_wh": round(1000 * data.gpu_energy, 6),
        "ram_wh": round(1000 * data.ram_energy, 6),
        "co2_g": round(1000 * data.emissions, 6),
        "country": data.country_iso_code,
        "duration_s": round(data.duration, 3),
        "cpu": method,
        "ram": RAM,
        "codecarbon": data.codecarbon_version,
    }
