"""How long runs took, and will take: by stored runs of the same system, and by those of the command under way."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asc_bench.names import count, slug
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import ResultsStore

N_NEWEST = 20
"""Stored runs of a system that are looked at."""
_TRUSTED_FRACTION = 0.02
"""A run that has come this far says how long it will take."""


def stored_durations(specs: Iterable[RunSpec], store: ResultsStore, *, gpu: bool) -> dict[str, float]:
    """Seconds that each run will take, as far as is known, by run key.

    The mean over the newest stored runs of the same system with the same settings, protocol, data, budget and kind
    of device (CPU or GPU).

    Parameters
    ----------
    specs : iterable of RunSpec
        Runs that are not stored.
    store : ResultsStore
        Where stored ones are.
    gpu : bool
        Whether networks are trained on a GPU.
    """
    known: dict[str, float] = {}
    for (tag, budget, variant), same in itertools.groupby(sorted(specs, key=_kind), key=_kind):
        done = [
            run.manifest
            for run in store.iterate(tag, budget, slug(variant))
            if run.done and str(run.manifest["device"]).startswith("cuda") == gpu
        ]
        took = [sum(manifest["durations_s"].values()) for manifest in done[-N_NEWEST:]]
        if took:
            known |= dict.fromkeys((spec.key for spec in same), sum(took) / len(took))
    return known


def _kind(spec: RunSpec) -> tuple[str, str, str]:
    return spec.tag, str(spec.budget), str(spec.variant)


def shared_out(seconds: Iterable[float], n_jobs: int) -> float:
    """How long runs take of which ``n_jobs`` go side by side, each begun in this order where another one ends."""
    free = [0.0] * n_jobs
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def expectation(specs: Sequence[RunSpec], known: Mapping[str, float], n_jobs: int) -> str:
    """A sentence on how long some runs will take, and for how many of them that is known."""
    n_known = sum(spec.key in known for spec in specs)
    if not specs:
        return "Time: nothing is left to compute."
    if not n_known:
        return "Time: unknown, since no run of these systems with this protocol, budget and device is stored."
    took = in_words(shared_out((known[spec.key] for spec in specs if spec.key in known), n_jobs))
    aside = f", {n_jobs} side by side" if n_jobs > 1 else ""
    if n_known == len(specs):
        return f"Time: about {took}{aside}, as stored runs of the same systems took on this kind of device."
    unknown = count(len(specs) - n_known, "run")
    return f"Time: about {took}{aside} for {n_known} of {len(specs)} runs, by stored ones; unknown for {unknown}."


def in_words(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``.

    Examples
    --------
    >>> [in_words(s) for s in (0.2, 89.6, 90, 7_170, 90_000)]
    ['1 s', '90 s', '2 min', '2 h 0 min', '1 d 1 h']
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


@dataclass
class TimeLeft:
    """Seconds until all runs of a command are done.

    A run that waits is expected to take as long as stored runs of its system, corrected by how long the finished
    runs of this command took beside what was expected of them; else as the runs of its system in this command. One
    under way is extrapolated from how far it has come, the more so the further it is.

    Attributes
    ----------
    specs : sequence of RunSpec
        What is computed.
    known : mapping
        As from ``stored_durations``.
    n_jobs : int
        How many go side by side.
    clock : callable
        Seconds.
    """

    specs: Sequence[RunSpec] = ()
    known: Mapping[str, float] = field(default_factory=dict)
    n_jobs: int = 1
    clock: Callable[[], float] = time.monotonic
    _begun: dict[str, float] = field(default_factory=dict, init=False)
    _seen: dict[str, tuple[float, float]] = field(default_factory=dict, init=False)
    _took: dict[str, float] = field(default_factory=dict, init=False)

    def progress(self, spec: RunSpec, fraction: float) -> None:
        """A run has come so far; its first word is its beginning."""
        now = self.clock()
        self._begun.setdefault(spec.key, now)
        self._seen[spec.key] = (now, min(fraction, 1.0))

    def finished(self, spec: RunSpec, seconds: float) -> None:
        """A run is done or has failed, after so many seconds by its own clock."""
        now = self.clock()
        self._took[spec.key] = max(now - self._begun.pop(spec.key, now), seconds)
        self._seen.pop(spec.key, None)

    def left(self) -> float | None:
        """Seconds, or None as long as nothing is known of some system's runs."""
        waiting = [spec for spec in self.specs if spec.key not in self._took]
        totals = self._totals(waiting)
        if any(spec.key not in totals for spec in waiting):
            return None
        now = self.clock()
        waiting.sort(key=lambda spec: spec.key not in self._begun)  # what is under way goes on first
        under_way = {key: now - begun for key, begun in self._begun.items()}
        rest = [max(totals[spec.key] - under_way.get(spec.key, 0.0), 0.0) for spec in waiting]
        # Workers of a scheduler are as many as are seen at work.
        return shared_out(rest, max(self.n_jobs, len(self._begun)))

    def _totals(self, waiting: Sequence[RunSpec]) -> dict[str, float]:
        """How long each run will have taken."""
        pace = self._pace()
        totals = {spec.key: pace * self.known[spec.key] for spec in waiting if spec.key in self.known}
        for spec in waiting:
            if spec.key in self._seen and spec.key in self._begun:
                seen, fraction = self._seen[spec.key]
                if fraction >= _TRUSTED_FRACTION:
                    extrapolated = (seen - self._begun[spec.key]) / fraction
                    before = totals.get(spec.key, extrapolated)
                    totals[spec.key] = fraction * extrapolated + (1.0 - fraction) * before
        of_system: dict[str, list[float]] = {}
        for spec in self.specs:
            seconds = self._took.get(spec.key, totals.get(spec.key))
            if seconds is not None:
                of_system.setdefault(str(spec.variant), []).append(seconds)
        for spec in waiting:
            like = of_system.get(str(spec.variant))
            if spec.key not in totals and like:
                totals[spec.key] = sum(like) / len(like)
        return totals

    def _pace(self) -> float:
        """How long the finished runs took beside what was expected of them."""
        both = [(seconds, self.known[key]) for key, seconds in self._took.items() if key in self.known]
        expected = sum(expected for _, expected in both)
        pace = sum(seconds for seconds, _ in both) / expected if expected else 1.0
        return pace if math.isfinite(pace) and pace > 0 else 1.0


class Stopwatch:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.durations_s: dict[str, float] = {}
        self._phase = ""
        self._since = 0.0

    def __call__(self, phase: str) -> Stopwatch:
        self._phase = phase
        return self

    def __enter__(self) -> None:
        self._since = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self.durations_s[self._phase] = round(time.perf_counter() - self._since, 4)
