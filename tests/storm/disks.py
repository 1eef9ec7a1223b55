"""Disks that are full, folders that cannot be written, and file systems that refuse locks."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.reliability.helpers import NO_LOCKS, run_arguments
from tests.storm.kind import Kind, leftovers, require, untimed
from tests.storm.place import TIMEOUT_S, Place

PAIR = ("toy-a,toy-b",)
REFUSALS = ("ENOLCK", "EOPNOTSUPP", "ENOSYS")

ENDS = (
    "exit code 1 and a sentence that names the folder or file, no traceback; nothing half-written is taken for a "
    "result; with room again the same command ends with exactly the digests of an undisturbed run"
)
BEFORE = "refused with exit code 1 and a sentence that names the folder, before any feature or run is computed"


def kinds(rounds: int) -> list[Kind]:
    """What is tried depends on what may be mounted: without the right to, a limit on the size of files is left."""
    without = [partial(_no_locks, refusal=refusal, jobs=jobs) for refusal in REFUSALS for jobs in "12"]
    with_room = [partial(_full_disk, n_kib=n) for n in (16, 64, 256, 512)] if _may_mount() else []
    return [
        Kind("file larger than the disk has room for", ENDS, [_limited] * 4 * rounds),
        *([Kind("full disk", ENDS, with_room)] if with_room else []),
        Kind("folder that cannot be written", ENDS, [partial(_read_only, which=w) for w in ("results", "cache")]),
        Kind("file system that refuses locks", BEFORE, without),
    ]  # fmt: skip


def _limited(place: Place) -> None:
    """A write fails in the middle of a random file: of features, of a run, of a table or a figure."""
    undisturbed = place.ground.undisturbed(*PAIR)
    place.copy_cache()
    for entry in (place.cache / "features").iterdir():
        subprocess.run(["rm", "-rf", str(entry)], check=True)
    n_bytes = int(2 ** place.rng.uniform(9, 17))
    place.n_faults += 1
    done = _run_with_limit(place, n_bytes)
    _ends(place, done, undisturbed.stdout, f"files of at most {n_bytes} bytes")
    _goes_on(place)


def _run_with_limit(place: Place, n_bytes: int) -> subprocess.CompletedProcess[str]:
    import sys

    return subprocess.run(
        [sys.executable, "-m", "asc_bench.cli.main", *run_arguments(place.results, *PAIR)],
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes)),
    )


def _full_disk(place: Place, n_kib: int) -> None:
    undisturbed = place.ground.undisturbed(*PAIR)
    place.results.mkdir(parents=True)
    place.n_faults += 1
    with _small_disk(place.results, n_kib):
        _ends(place, place.run(*PAIR), undisturbed.stdout, f"a disk of {n_kib} KiB")
        require(place.stored().items() <= undisturbed.digests.items(), "a different result is stored")
    _goes_on(place)


@contextlib.contextmanager
def _small_disk(folder: Path, n_kib: int, *options: str) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", ",".join((f"size={n_kib}k", *options)), "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _may_mount() -> bool:
    """Root in many containers may not."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        try:
            with _small_disk(Path(folder), 16):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def _read_only(place: Place, which: str) -> None:
    """By its mode; for root, who may write everywhere, a file stands where the folder should be."""
    undisturbed = place.ground.undisturbed(*PAIR)
    folder = place.folder / which
    place.folder.mkdir(parents=True)
    if os.geteuid():
        folder.mkdir(mode=0o500)
    else:
        folder.write_text("a file")
    if which == "cache":
        place.cache = folder
    place.n_faults += 1
    done = place.run(*PAIR)
    _ends(place, done, undisturbed.stdout, f"a {which} folder that cannot be written")
    require(str(folder) in done.stderr, f"{folder} is not named: {done.stderr[-500:]}")
    folder.rmdir() if os.geteuid() else folder.unlink()
    place.cache = place.ground.cache
    _goes_on(place)


def _no_locks(place: Place, refusal: str, jobs: str) -> None:
    place.folder.mkdir(parents=True)
    (place.folder / "sitecustomize.py").write_text(NO_LOCKS, encoding="utf-8")
    for refused in (place.results, place.folder / "cache"):
        place.cache = place.folder / "cache"
        extra = {"PYTHONPATH": str(place.folder), "NO_LOCKS_BELOW": str(refused), "REFUSAL": refusal}
        place.n_faults += 1
        done = place.run(*PAIR, "--jobs", jobs, **extra)
        require(done.returncode == 1, f"without locks below {refused} it ends with {done.returncode}")
        named = f"asc-bench: {refused}" in done.stderr and "refuses locks" in done.stderr
        require(named and "Traceback" not in done.stderr, f"it says {done.stderr[-800:]}")
        require(not place.fits and not list(place.cache.glob("features/*/")), "something was computed")


def _ends(place: Place, done: subprocess.CompletedProcess[str], stdout: str, fault: str) -> None:
    """Refused in a sentence, or not disturbed at all."""
    if done.returncode == 0:
        require(
            untimed(done.stdout) == untimed(stdout), f"{fault}: exit code 0, and it prints {done.stdout[:500]!r}"
        )
        return
    require(done.returncode == 1, f"{fault}: it ends with {done.returncode}: {done.stderr[-1500:]}")
    require("Traceback" not in done.stderr, f"{fault}: it shows {done.stderr[-1500:]}")
    last = done.stderr.strip().splitlines()[-1]
    named = str(place.folder) in last and ("written" in last or "room" in last)
    require(named, f"{fault}: its last word is {last!r}")
    unfinished = [str(path) for path in leftovers(place.results, place.cache)]
    unfinished = [path for path in unfinished if "/scratch/" not in path]  # what a run in progress goes on from
    require(not unfinished, f"{fault}: left behind: {unfinished}")


def _goes_on(place: Place) -> None:
    undisturbed = place.ground.undisturbed(*PAIR)
    done = place.run(*PAIR)
    require(done.returncode == 0, f"with room again it ends with {done.returncode}: {done.stderr[-1500:]}")
    require(place.stored() == undisturbed.digests, "with room again it ends with other digests")
    require(untimed(done.stdout) == untimed(undisturbed.stdout), f"with room again it prints {done.stdout[:500]!r}")
    left = leftovers(place.results, place.cache)
    require(not left, f"left behind: {[str(path) for path in left]}")
