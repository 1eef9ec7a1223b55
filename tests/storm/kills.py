"""Commands that are killed or interrupted at random moments."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from tests.storm.kind import Kind, leftovers, require
from tests.storm.place import Place, Undisturbed

GRID = "toy-a[pause_s=0.3],toy-b[pause_s=0.3]", "--repeats", "3"
NET = ("storm-net",)
N_KILLS = 3
"""In a row, each of the command that goes on where the last one stopped."""
STARTING_S = 1.0
"""Of a command that is killed, no earlier: before that it only imports."""

KILLED = (
    "what was stored before is stored still; the same command ends with exactly the digests of an undisturbed run, "
    "repeats at most one run for each kill (each of the runs side by side), and leaves no unfinished folder"
)
INTERRUPTED = "exit code 130, one sentence and no traceback; then as after a kill"


def kinds(rounds: int) -> list[Kind]:
    """Kills of a grid of six runs, of one that has checkpoints, and interruptions."""
    return [
        Kind("SIGKILL of the process group, one run at a time", KILLED, [_killed_grid] * 2 * rounds),
        Kind("SIGKILL of the process group, --jobs 2", KILLED, [_killed_pair] * 2 * rounds),
        Kind("SIGKILL of a training with checkpoints", KILLED, [_killed_training] * rounds),
        Kind("SIGINT (Ctrl-C)", INTERRUPTED, [_interrupted] * 2 * rounds),
    ]


def _killed_grid(place: Place) -> None:
    _killed(place, GRID, n_at_once=1)


def _killed_pair(place: Place) -> None:
    _killed(place, (*GRID, "--jobs", "2"), n_at_once=2, like=GRID)


def _killed_training(place: Place) -> None:
    _killed(place, NET, n_at_once=1, STORM_PAUSE_S="0.1")


def _killed(
    place: Place, command: tuple[str, ...], *, n_at_once: int, like: tuple[str, ...] = (), **extra: str
) -> None:
    undisturbed, before = place.ground.undisturbed(*(like or command)), 0
    for _ in range(N_KILLS):
        if _struck(place, command, signal.SIGKILL, **extra) is not None:
            place.n_faults += 1
        before = _none_lost(place, undisturbed, before)
    _goes_on(place, command, undisturbed)
    n_fits = sum(place.fits.values())
    n_most = len(undisturbed.digests) + n_at_once * place.n_faults
    require(n_fits <= n_most, f"{n_fits} fits after {place.n_faults} kills, at most {n_most} are needed")


def _interrupted(place: Place) -> None:
    command = GRID if place.rng.random() < 0.5 else (*GRID, "--jobs", "2")
    struck = _struck(place, command, signal.SIGINT)
    if struck is not None:
        place.n_faults += 1
        code, errors = struck
        require(code == 130, f"interrupted, the exit code is {code}: {errors[-500:]}")
        require("the same command goes on" in errors, f"interrupted, it says {errors[-500:]!r}")
        require("Traceback" not in errors, f"interrupted, it shows {errors[-2000:]}")
    _goes_on(place, command, place.ground.undisturbed(*GRID))


def _struck(place: Place, command: tuple[str, ...], number: signal.Signals, **extra: str) -> tuple[int, str] | None:
    """Send a signal at a random moment; exit code and messages, or None for a command that had ended before."""
    process = place.start(*command, **extra)
    moment = time.monotonic() + place.rng.uniform(STARTING_S, STARTING_S + 3.5)
    while not _at_work(place) and process.poll() is None and time.monotonic() < moment + 20:
        time.sleep(0.02)  # on a busy machine the imports take longer
    try:
        process.wait(timeout=max(0.0, moment - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors
    _, errors = process.communicate()
    require(process.returncode == 0, f"undisturbed, the exit code is {process.returncode}: {errors[-2000:]}")
    return None


def _at_work(place: Place) -> bool:
    return (place.results / "scratch").exists() or (place.results / "locks").exists()


def _none_lost(place: Place, undisturbed: Undisturbed, before: int) -> int:
    stored = place.stored()
    require(stored.items() <= undisturbed.digests.items(), "a half-written or different result is stored")
    require(len(stored) >= before, f"{before} runs were stored before the kill, {len(stored)} are now")
    return len(stored)


def _goes_on(place: Place, command: tuple[str, ...], undisturbed: Undisturbed) -> None:
    done = place.run(*command)
    require(done.returncode == 0, f"the same command ends with {done.returncode}: {done.stderr[-2000:]}")
    require(place.stored() == undisturbed.digests, "the same command ends with other digests")
    left = leftovers(place.results, place.cache)
    require(not left, f"left behind: {[str(path) for path in left]}")
