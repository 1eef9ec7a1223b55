"""Tables III and IV of the paper, other systems beside it: ``asc-bench reproduce hierarchical-cnn/table4``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import Cell, Finished, Published, Reproduction

if TYPE_CHECKING:
    import pandas as pd

    from asc_bench.api import StoredRun

SYSTEMS: Mapping[str, str] = {
    "VGGish": "vggish-svm",
    "SB-CNN": "sb-cnn",
    "NAC": "nac",
    "CNN-ensemble": "cnn-ensemble",
    "CNN/i-vec": "cnn-ivector",
    "MLA": "mla",
    "N-CNN": "n-cnn",
    "Sample-CNN": "sample-cnn",
    "Raw-CNN": "raw-cnn",
    "Proposed": "hierarchical-cnn",
    "Proposed1": "proposed1",
    "Proposed2": "proposed2",
}
"""The paper's names in the order of Table IV, and the systems here."""

_PARAMETERS, _OPERATIONS, _SECONDS = "parameters, M", "multiply-adds per clip, M", "ms per clip"


class Table3(Reproduction):
    """What the systems read, from their cards, and what they cost, from their runs."""

    name = "hierarchical-cnn/table3"
    title = "Hierarchical CNN, Table III: characteristics of the systems"
    protocol = "merged"
    row_titles = ("model", "input")
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"system": tuple(SYSTEMS.values())}
    in_percent = False
    notes = (
        "The paper tells features, layers and non-linearities in words, and counts nothing; asc-bench info SYSTEM "
        "tells ours.",
        "Time: prediction on the machine of the runs, features apart; of a fusion the sum over its members.",
    )

    def cells(self) -> Sequence[Cell]:
        """Three measured numbers for each system."""
        from asc_bench.api import systems

        found = systems().found
        return [
            Cell(
                at={"system": variant},
                row=(model, found[variant].card.input),
                column=("", measure),
                variant=variant,
                measure=measure,
            )
            for model, variant in SYSTEMS.items()
            if variant in found
            for measure in (_PARAMETERS, _OPERATIONS, _SECONDS)
        ]

    def measured(self, finished: Finished) -> pd.DataFrame:
        """See ``Reproduction.measured``: from the manifests of the runs."""
        import pandas as pd

        from asc_bench.api import SCORE_COLUMNS

        rows = []
        for variant, runs in finished.runs.items():
            tested = sum(int(run.manifest["n_clips"]["test"]) for run in runs)
            repeats = len({run.manifest["repeat"] for run in runs})
            for measure, value in _costs(runs).items():
                rows.append(
                    {
                        "system": variant,
                        "measure": measure,
                        "value": value,
                        "low": math.nan,
                        "high": math.nan,
                        "n": tested // repeats,
                        "n_locations": 0,
                        "n_repeats": repeats,
                        "sd_repeats": math.nan,
                        "incomplete": "",
                        "reason": "" if math.isfinite(value) else f"its runs do not tell {measure}",
                    }
                )
        return pd.DataFrame(rows, columns=[*SCORE_COLUMNS, "reason"])


class Table4(Reproduction):
    """Accuracy of twelve systems, three of them fusions or separate classifiers."""

    name = "hierarchical-cnn/table4"
    title = "Hierarchical CNN, Table IV: accuracy of all systems, top-3 accuracy in brackets"
    protocol = "merged"
    row_titles = ("",)
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"system": tuple(SYSTEMS.values())}
    best_of = "fine top-1"
    best_means = "best of the systems"
    notes = (
        "Fine classes. The paper states no split, and augments in four ways; compare the order of the systems, not "
        "the numbers.",
    )

    def cells(self) -> Sequence[Cell]:
        """Two numbers for each system, in one place."""
        return [
            Cell(
                at={"system": variant},
                row=("accuracy",),
                column=("", model),
                variant=variant,
                measure=f"fine top-{k}",
                published=Published(self.protocol, "hierarchical_table4", {"system": model}),
            )
            for model, variant in SYSTEMS.items()
            for k in (1, 3)
        ]


def _costs(runs: Sequence[StoredRun]) -> dict[str, float]:
    """Means over the runs; NaN for what they do not tell."""

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    manifests = [run.manifest for run in runs]
    found = {}
    for measure, name in ((_PARAMETERS, "n_parameters"), (_OPERATIONS, "n_multiply_adds")):
        counts = [m.get(name) for m in manifests]
        found[measure] = math.nan if None in counts else mean([float(c) / 1e6 for c in counts if c is not None])
    seconds = sum(float(m["durations_s"]["predict"]) for m in manifests)
    found[_SECONDS] = 1e3 * seconds / sum(_n_predicted(run) for run in runs)
    return found


def _n_predicted(run: StoredRun) -> int:
    """Clips whose predictions were computed: those of the test split, and of validation where there are any."""
    return len(run.predictions[["split", "clip_id"]].drop_duplicates())
