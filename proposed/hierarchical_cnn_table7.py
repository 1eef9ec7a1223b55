"""Table VII of the paper, how the classes lie in the embedding: ``asc-bench reproduce hierarchical-cnn/table7``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import Cell, Finished, Published, Reproduction

if TYPE_CHECKING:
    import pandas as pd

_TABLE = "hierarchical_table7"
_MODELS = {"coarse+fine": "hierarchical", "fine": "non-hierarchical"}
_LEVELS = {"coarse": "Coarse", "fine": "Fine"}


class Table7(Reproduction):
    """Trained on both label levels or on the fine one: distances inside and between the classes of each level."""

    name = "hierarchical-cnn/table7"
    title = "Hierarchical CNN, Table VII: distances inside classes (ICD) and between their centroids (ICCD)"
    protocol = "merged"
    row_titles = ("model",)
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"labels": tuple(_MODELS)}
    needs_weights = True
    in_percent = False
    notes = (
        "Euclidean distances of the audio embeddings of the test clips: raw as the network gives them, unit after "
        "division by their length. The paper does not say which of the two, or which distance.",
        "ICD: mean over the classes of the mean distance between two clips of one class (lower is better; a class "
        "with one test clip is left out). ICCD: mean distance between the centroids of two classes (higher is "
        "better).",
        "The non-hierarchical model never saw the coarse classes; its clips are grouped by them all the same.",
        "A clip that is given as several waveforms has the mean of their embeddings, before any division.",
        "No intervals: a bootstrap over locations draws clips twice, and their distance to themselves would count.",
    )

    def cells(self) -> Sequence[Cell]:
        """Two models by two levels, two distances and two scales; the published numbers stand at the raw ones."""
        return [
            Cell(
                at={"labels": labels},
                row=(model.title(),),
                column=(f"{_LEVELS[level]}, {scale}", metric),
                variant=f"hierarchical-cnn[labels={labels}]",
                measure=f"{level} {metric}" + ("" if scale == "raw" else f", {scale}"),
                published=Published(self.protocol, _TABLE, {"variant": model}) if scale == "raw" else None,
            )
            for labels, model in _MODELS.items()
            for scale in ("raw", "unit")
            for level in _LEVELS
            for metric in ("ICD", "ICCD")
        ]

    def measured(self, finished: Finished) -> pd.DataFrame:
        """See ``Reproduction.measured``: from the embeddings, not from the predictions."""
        from asc_bench.api import cluster_scores

        return cluster_scores(finished)

    def remarks(self) -> Sequence[str]:
        """What the published numbers say of each other."""
        from asc_bench.api import published_values

        printed = published_values(Published(self.protocol, _TABLE, {"variant": "hierarchical"}))
        coarse, fine = printed["coarse ICCD"], printed["fine ICCD"]
        if coarse <= fine:
            return ()
        return (
            "The published numbers cannot come from one embedding and one distance: two coarse centroids lie no "
            "farther apart than their fine classes do on average, and most pairs of fine classes lie in different "
            f"coarse ones, yet the coarse ICCD ({coarse}) is {coarse / fine:.1f} times the fine one ({fine}). "
            "Compare the order of the rows, level by level, not the numbers.",
        )
