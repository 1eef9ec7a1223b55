"""Where a fault is applied: a folder of its own, the command line in it, and what undisturbed runs give."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asc_bench
from asc_bench.results import Results
from tests.reliability.helpers import PLUGINS, digests, environment_of, fits, run_arguments, start
from tests.storm.damage import damage

OWN_PLUGINS = Path(__file__).parent / "plugins"
TIMEOUT_S = 1800


@dataclass
class Ground:
    """What all places share, in one temporary folder: a cache that is filled once, and undisturbed results."""

    folder: Path
    _made: dict[tuple[str, ...], Undisturbed] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cache(self) -> Path:
        """Features and the synthetic dataset."""
        return self.folder / "cache"

    def place(self, name: str, rng: random.Random) -> Place:
        """A place that does not exist yet; a trial makes it with its first command."""
        return Place(self, self.folder / "places" / name, rng)

    def undisturbed(self, systems: str, *more: str) -> Undisturbed:
        """What a command gives that nothing happens to; computed once."""
        with self._lock:
            if (systems, *more) not in self._made:
                place = Place(self, self.folder / "undisturbed" / str(len(self._made)), random.Random(0))
                done = place.run(systems, *more)
                assert done.returncode == 0, done.stderr
                found = Undisturbed(place.results, digests(place.results), done.stdout)
                self._made[systems, *more] = found
            return self._made[systems, *more]

    def called(self, *systems: str, **options: object) -> Undisturbed:
        """What a call from Python and its report give that nothing happens to; computed once."""
        key = (*systems, repr(sorted(options.items())))
        with self._lock:
            if key not in self._made:
                place = Place(self, self.folder / "called" / str(len(self._made)), random.Random(0))
                results = place.call(*systems, **options)
                assert not results.unfinished, results.unfinished
                self._made[key] = Undisturbed(place.results, digests(place.results), results.report().text)
            return self._made[key]


@dataclass(frozen=True)
class Undisturbed:
    """Results of a command that nothing happened to."""

    results: Path
    digests: Mapping[str, str]
    stdout: str


@dataclass
class Place:
    """A folder for one trial, its seeded randomness, and the number of faults that were applied in it."""

    ground: Ground
    folder: Path
    rng: random.Random
    n_faults: int = 0

    def __post_init__(self) -> None:
        self.cache = self.ground.cache

    @property
    def results(self) -> Path:
        """Where its commands store runs."""
        return self.folder / "results"

    def stored(self, name: str = "predictions.parquet") -> dict[str, str]:
        """Digest of every stored file of this name, by its place below the results."""
        return digests(self.results, name)

    @property
    def fits(self) -> Mapping[str, int]:
        """How often each toy was fitted here."""
        return fits(self.folder / "toy.log")

    def environment(self, **extra: str) -> dict[str, str]:
        """Of a command here: toys are plugged in, and the plug-ins of the storm."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = os.pathsep.join(str(folder) for folder in (PLUGINS, OWN_PLUGINS))
        paths = {"ASC_BENCH_PLUGINS": found, "PYTHONPATH": str(PLUGINS)}
        return {**environment_of(self.cache, self.folder), **paths, **extra}

    def command(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """``asc-bench`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "asc_bench.cli.main", *arguments],
            cwd=self.folder if self.folder.exists() else None,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )

    def run(self, systems: str, *more: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """A small ``run`` command to its end."""
        return self.command(*run_arguments(self.results, systems, *more), **extra)

    def start(self, systems: str, *more: str, **extra: str) -> subprocess.Popen[str]:
        """The same, under way."""
        return start(run_arguments(self.results, systems, *more), self.environment(**extra), self.folder)

    def call(self, *systems: str, **options: object) -> Results:
        """``asc_bench.run`` inside this process, on the smallest synthetic dataset."""
        self.write_log_here()
        own = {"cache": self.cache, "results": self.results} | options
        return asc_bench.run(
            "dcase2018",
            list(systems),
            **{
                "budget": "smoke",
                "synthetic": True,
                "synthetic_size": "tiny",
                "n_threads": 1,
                "progress": False,
                **own,
            },
        )

    def write_log_here(self) -> None:
        """Let toys inside this process write their log here, as those of commands do."""
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ["TOY_LOG"] = str(self.folder / "toy.log")

    def stopped_training(self, system: str) -> Path:
        """Interrupt a training after its sixth step; the folder of its checkpoint."""
        os.environ["STORM_STOP"] = "6"
        try:
            self.call(system)
        except KeyboardInterrupt:
            pass
        finally:
            del os.environ["STORM_STOP"]
        (folder,) = (self.results / "scratch").iterdir()
        return folder

    def damage(self, path: Path, how: str, *, other: Path) -> bool:
        """Damage a file, and count it; false if that left it as it was."""
        self.n_faults += 1
        return damage(path, how, self.rng, other=other)

    def copy_results(self, undisturbed: Undisturbed) -> None:
        """Begin with the results of an undisturbed command."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(undisturbed.results, self.results)

    def copy_cache(self) -> None:
        """Begin with a cache of its own: the features of the shared one, and its recordings by a link."""
        own = self.folder / "cache"
        own.mkdir(parents=True)
        if (self.ground.cache / "features").exists():
            shutil.copytree(self.ground.cache / "features", own / "features")
        (own / "synthetic").symlink_to(self.ground.cache / "synthetic")
        self.cache = own

    def clear(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)
