"""What came out for one system: its scores, or the reason why it has none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.reporting.setting import Manifest
from asc_bench.reporting.text import one_line
from asc_bench.scoring.measure import Measure


@dataclass(frozen=True)
class Outcome:
    """Runs and scores of one system.

    Attributes
    ----------
    system : str
        Variant.
    manifests : tuple
        Its runs.
    scores : mapping
        Rows of the score table by measure name, only those that may be shown.
    incomplete : str
        Why there is no score; empty where nothing is missing.
    """

    system: str
    manifests: tuple[Manifest, ...]
    scores: Mapping[str, Mapping[str, Any]]
    incomplete: str

    def score(self, measure: str) -> Mapping[str, Any] | None:
        """Row of the score table, or None where there is no score to show."""
        return self.scores.get(measure)

    @property
    def scored(self) -> bool:
        """Whether any score may be shown."""
        return bool(self.scores)

    @property
    def n_repeats(self) -> int:
        """Repeats behind the scores; 0 without scores."""
        return max((int(s["n_repeats"]) for s in self.scores.values()), default=0)

    @property
    def given_device(self) -> bool:
        """Whether it uses the device label at test time."""
        return any(m.get("needs_device") == "test" for m in self.manifests)

    @property
    def made_elsewhere(self) -> bool:
        """Whether its predictions were made by other software, see ``asc_bench.runs.made_elsewhere``."""
        return any("made_elsewhere" in m for m in self.manifests)

    @property
    def train_s(self) -> float | None:
        """Mean training time of the runs that finished, in seconds; None for predictions made elsewhere."""
        done = [m for m in self.manifests if m["status"] == "done" and "made_elsewhere" not in m]
        times = [m["durations_s"]["fit"] for m in done]
        return sum(times) / len(times) if times else None

    def inference_ms(self, part: str = "total_ms") -> float | None:
        """Mean time of one clip over the runs that were timed: ``total_ms``, ``front_end_ms`` or ``predict_ms``."""
        return self._mean_of("inference", part)

    def energy(self, part: str = "total_wh") -> float | None:
        """Mean over the runs of which it is known: ``total_wh`` or ``co2_g``."""
        return self._mean_of("energy", part)

    @property
    def timed_on(self) -> tuple[str, ...]:
        """Processors of the machines on which single clips were timed."""
        return tuple(dict.fromkeys(str(e["processor"]) for e in self._entries("inference") if "total_ms" in e))

    @property
    def energy_by(self) -> tuple[str, ...]:
        """How the energy was found."""
        known = [e for e in self._entries("energy") if "total_wh" in e]
        methods = (f"codecarbon {e['codecarbon']}: CPU {e['cpu']}, memory {e['ram']}" for e in known)
        return tuple(dict.fromkeys(methods))

    def _entries(self, name: str) -> list[Mapping[str, Any]]:
        return [m.get(name) or {} for m in self.manifests if m["status"] == "done"]

    def _mean_of(self, name: str, part: str) -> float | None:
        values = [float(each[part]) for each in self._entries(name) if part in each]
        return sum(values) / len(values) if values else None

    @property
    def status(self) -> str:
        """Empty when all is well; else what failed, with its error's first line, or what is missing."""
        for status in ("failed", "incomplete", "skipped"):
            runs = [m for m in self.manifests if m["status"] == status]
            if runs:
                error: Mapping[str, Any] = next((m["error"] for m in runs if m.get("error")), {})
                lines = str(error.get("message", "")).strip().splitlines()
                detail = ": ".join(filter(None, (str(error.get("type", "")), lines[0] if lines else "")))
                detail = detail or self.incomplete
                share = f" ({len(runs)} of {len(self.manifests)} runs)" if len(self.manifests) > 1 else ""
                return one_line(f"{status}{share}{': ' if detail else ''}{detail}")
        return one_line(f"incomplete: {self.incomplete}") if self.incomplete else ""


def outcomes(scores: pd.DataFrame, manifests: Sequence[Manifest], measures: Sequence[Measure]) -> list[Outcome]:
    """One outcome per system: by the first measure, best first, then those without a score by name.

    A system with any incomplete sentence has no score at all, whatever its values say.

    Raises
    ------
    ConfigError
        If no measure is named, or if a score belongs to a system without a run.
    """
    if not measures:
        raise ConfigError("a table of results needs at least one measure")
    by_system: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        by_system.setdefault(str(manifest["variant"]), []).append(manifest)
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for record in scores.to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        rows.setdefault(str(row["system"]), {})[str(row["measure"])] = row
    unknown = sorted(set(rows) - set(by_system))
    if unknown:
        known = ", ".join(sorted(by_system))
        raise ConfigError(f"scores of {unknown[0]!r} have no run; there are runs of {known}")
    found = [_outcome(system, tuple(runs), rows.get(system, {})) for system, runs in by_system.items()]
    return sorted(found, key=lambda o: (_rank(o, measures[0]), o.system))


def _outcome(system: str, runs: tuple[Manifest, ...], rows: Mapping[str, dict[str, Any]]) -> Outcome:
    sentences = list(dict.fromkeys(str(r["incomplete"]) for r in rows.values() if r["incomplete"]))
    if any(m["status"] == "incomplete" for m in runs) and not sentences:
        sentences = ["not every run is whole"]
    shown = {} if sentences else {k: r for k, r in rows.items() if not math.isnan(r["value"])}
    if not shown and not sentences and any(m["status"] == "done" for m in runs):
        sentences = ["no score was computed"]
    return Outcome(system, runs, shown, "; ".join(sentences))


def _rank(outcome: Outcome, measure: Measure) -> float:
    """Sorts the best first and what has no score last."""
    score = outcome.score(measure.name)
    if score is None:
        return math.inf
    return -float(score["value"]) if measure.higher_is_better else float(score["value"])
