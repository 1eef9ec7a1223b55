"""Learning curves: the histories of runs, thinned so that a page and a figure of thousands of runs stay small."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from asc_bench.reporting.setting import Manifest

Points = tuple[tuple[int, float], ...]
"""Steps of the optimiser and a value, which may be NaN or infinite where a training diverged."""
Histories = Mapping[str, Callable[[], pd.DataFrame]]
"""Key of a run to what reads its history, columns of ``asc_bench.training.history.HISTORY_COLUMNS``."""

QUANTITIES = ("train_loss", "validation_loss", "validation_accuracy")
MOST_RUNS = 300
"""Histories that are read in all; of each system at least one."""
MOST_POINTS = 100
"""Points of a quantity of one run; the parts of a run share them."""
_MOST_IN_ALL = 30_000
_FEWEST_POINTS = 10


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One training of one run.

    Attributes
    ----------
    run : str
        Its fold and repeat.
    n_steps, n_epochs : int
        Steps and passes over the training clips that were done.
    points : mapping
        By name of ``QUANTITIES``, all three, thinned; empty where nothing was noted. Accuracies are fractions.
    lowest_loss, highest_accuracy : float
        On the validation clips, over all rows; NaN where nothing was noted.
    """

    run: str
    n_steps: int
    n_epochs: int
    points: Mapping[str, Points]
    lowest_loss: float
    highest_accuracy: float

    def last(self, quantity: str) -> float:
        """The last value that was noted; NaN if none was."""
        points = self.points[quantity]
        return points[-1][1] if points else math.nan


@dataclass(frozen=True, kw_only=True)
class SystemCurves:
    """The trainings of one system.

    Attributes
    ----------
    n_runs, n_shown : int
        Runs with a history, and how many of them are here: the first ones.
    parts : mapping
        Part of a training, such as each network of several, to its curve in each run.
    """

    n_runs: int
    n_shown: int
    parts: Mapping[str, Sequence[Curve]]


def curves_of(
    manifests: Sequence[Manifest], histories: Histories, *, systems: Sequence[str]
) -> dict[str, SystemCurves]:
    """Curves of the systems that have a history, in the order of ``systems``.

    Parameters
    ----------
    manifests : sequence of mapping
        One per run.
    histories : mapping
        Of some of these runs. Read here: at most ``MOST_RUNS``, the first by fold and repeat, or one of each system
        where there are more systems.
    systems : sequence of str
        Variants.
    """
    by_system: dict[str, list[Manifest]] = {}
    for manifest in sorted(manifests, key=lambda m: (str(m["fold"]), int(m["repeat"]))):
        if str(manifest["key"]) in histories:
            by_system.setdefault(str(manifest["variant"]), []).append(manifest)
    named = [system for system in systems if system in by_system]
    most_runs = max(MOST_RUNS // max(len(named), 1), 1)
    n_shown = sum(min(len(by_system[system]), most_runs) for system in named)
    most_points = max(min(MOST_POINTS, _MOST_IN_ALL // max(n_shown, 1)), _FEWEST_POINTS)
    found = {}
    for system in named:
        shown = by_system[system][:most_runs]
        read = [(_name(m), histories[str(m["key"])]()) for m in shown]
        parts = _parts(read, most_points)
        if parts:
            found[system] = SystemCurves(n_runs=len(by_system[system]), n_shown=len(shown), parts=parts)
    return found


def mean_points(several: Sequence[Points]) -> Points:
    """Mean at those steps that all curves have, where it is finite; empty for fewer than two curves or such steps.

    Curves without any point are left out: a quantity may not have been noted in a run.
    """
    known = [dict(points) for points in several if points]
    if len(known) < 2:
        return ()
    steps = sorted(set(known[0]).intersection(*known[1:]))
    means = ((step, sum(values[step] for values in known) / len(known)) for step in steps)
    finite = tuple((step, mean) for step, mean in means if math.isfinite(mean))
    return finite if len(finite) > 1 else ()


def thinned(points: Points, *, stride: int) -> Points:
    """Every so-manieth point from the first on, and the last."""
    return points if stride <= 1 or not points else (*points[:-1:stride], points[-1])


def _name(manifest: Manifest) -> str:
    return f"{manifest['fold']}, repeat {manifest['repeat']}"


def _parts(read: Sequence[tuple[str, pd.DataFrame]], most_points: int) -> dict[str, list[Curve]]:
    """Curves by part. Those of a part are thinned alike, so that steps that coincide still do."""
    rows: dict[str, list[tuple[str, pd.DataFrame]]] = {}
    for run, frame in read:
        for part, own in frame.groupby("part", sort=False):
            rows.setdefault(str(part), []).append((run, own))
    of_a_part = max(most_points // max(len(rows), 1), _FEWEST_POINTS)
    found = {}
    for part, frames in rows.items():
        whole = [{name: _points(own, name) for name in QUANTITIES} for _, own in frames]
        strides = {
            name: math.ceil((max(len(points[name]) for points in whole) - 1) / (of_a_part - 1))
            for name in QUANTITIES
        }
        found[part] = [
            Curve(
                run=run,
                n_steps=int(own["step"].iloc[-1]),
                n_epochs=int(own["epoch"].iloc[-1]),
                points={name: thinned(points[name], stride=strides[name]) for name in QUANTITIES},
                lowest_loss=float(own["validation_loss"].min()),
                highest_accuracy=float(own["validation_accuracy"].max()),
            )
            for (run, own), points in zip(frames, whole, strict=True)
        ]
    return found


def _points(rows: pd.DataFrame, quantity: str) -> Points:
    # A loss of NaN reads like one that was not noted: of the training loss every row is one that was.
    known = rows if quantity == "train_loss" else rows[rows[quantity].notna()]
    return tuple(zip(map(int, known["step"]), map(float, known[quantity]), strict=True))
