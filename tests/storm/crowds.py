"""Several processes on one results folder."""

from __future__ import annotations

import os
import signal
import time

from tests.storm.kind import Kind, leftovers, require
from tests.storm.place import TIMEOUT_S, Place

SYSTEMS = ("toy-a", "toy-b", "toy-c")
SLOW = ",".join(f"{name}[pause_s=0.4]" for name in SYSTEMS)
N_PROCESSES = 3

ONCE = (
    "each process ends with exit code 0, each run is fitted exactly once, and the digests are those of one process"
)
TAKEN_OVER = (
    "the others take over what the killed process was at, one run is fitted once more at most, and the digests are "
    "those of one process"
)


def kinds(rounds: int) -> list[Kind]:
    """The same command in several processes, different ones, and one of them killed."""
    return [
        Kind("processes side by side, the same command", ONCE, [_same] * rounds),
        Kind("processes side by side, a system each", ONCE, [_disjoint] * rounds),
        Kind("processes side by side, an empty cache", ONCE, [_empty_cache] * rounds),
        Kind("processes side by side, one of them killed", TAKEN_OVER, [_one_killed] * rounds),
    ]


def _same(place: Place) -> None:
    _beside(place, [SLOW] * N_PROCESSES)


def _disjoint(place: Place) -> None:
    _beside(place, SLOW.split(","))


def _empty_cache(place: Place) -> None:
    place.copy_cache()
    for entry in (place.cache / "features").iterdir():
        entry.rename(place.folder / entry.name)
    _beside(place, [SLOW] * N_PROCESSES)
    entries = [path for path in (place.cache / "features").iterdir() if path.is_dir()]
    require(len(entries) == 1, f"features were computed to {len(entries)} places")


def _beside(place: Place, commands: list[str]) -> None:
    undisturbed = place.ground.undisturbed(SLOW)
    processes = [place.start(systems) for systems in commands]
    place.n_faults += len(processes) - 1
    for process in processes:
        _, errors = process.communicate(timeout=TIMEOUT_S)
        require(process.returncode == 0, f"a process ends with {process.returncode}: {errors[-1500:]}")
    require(dict(place.fits) == dict.fromkeys(SYSTEMS, 1), f"fitted: {dict(place.fits)}")
    require(place.stored() == undisturbed.digests, "other digests than those of one process")
    left = leftovers(place.results, place.cache)
    require(not left, f"left behind: {[str(path) for path in left]}")


def _one_killed(place: Place) -> None:
    undisturbed = place.ground.undisturbed(SLOW)
    processes = [place.start(SLOW) for _ in range(N_PROCESSES)]
    while not place.fits and processes[0].poll() is None:
        time.sleep(place.rng.uniform(0.1, 0.4))
    os.killpg(processes[0].pid, signal.SIGKILL)
    place.n_faults += 1
    for process in processes:
        _, errors = process.communicate(timeout=TIMEOUT_S)
        ends = process.returncode
        require(process is processes[0] or ends == 0, f"a process ends with {ends}: {errors[-1500:]}")
    require(max(place.fits.values()) <= 2 and sum(place.fits.values()) <= 4, f"fitted: {dict(place.fits)}")
    require(place.stored() == undisturbed.digests, "other digests than those of one process")
    left = leftovers(place.results, place.cache)
    require(not left, f"left behind: {[str(path) for path in left]}")
