"""Table V of the paper, transfer to two other tasks: ``asc-bench reproduce hierarchical-cnn/table5``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from asc_bench.api import Cell, Published, TransferTable

_TABLE = "hierarchical_table5"
_MODELS = {
    "retrain": "retrained",
    "finetune": "pre-trained with fine tuning",
    "svm": "pre-trained embedding+SVM",
    "lr": "pre-trained embedding+LR",
}
_COLUMNS = {
    "audioset-dcase2017": ("Audioset", {"ER": "detection error rate", "F": "detection F-score"}),
    "greatest-hits": ("Greatest Hits", {"Top-1": "fine top-1", "Top-3": "fine top-3"}),
}


class Table5(TransferTable):
    """Trained from scratch, or on the merged data set first: fine-tuned, or as a frozen embedding."""

    name = "hierarchical-cnn/table5"
    title = "Hierarchical CNN, Table V: transfer from the merged data set"
    protocol = "merged"
    row_titles = ("model",)
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"variant": tuple(_MODELS), "target": tuple(_COLUMNS)}
    notes = (
        "ER and F: error rate (lower is better, may exceed 1) and F-score of segments of 1 s, DCASE 2017 task 4, "
        "subtask B. The paper does not say whether it was evaluated on the testing or on the evaluation set; this "
        "is the testing set. It sets its F beside the F1 of another team's tagging (subtask A) and its ER beside "
        "another's detection: these two are not one pair.",
        "Greatest Hits: random division of the actions, as the paper has it; neighbours of one recording are on "
        "both sides. The protocol greatest-hits-by-recording keeps recordings whole.",
        "Fine-tuning trains the classification layer alone. What else the paper leaves open is told by "
        "`asc-bench info transfer`.",
    )

    def cells(self) -> Sequence[Cell]:
        """Four models by two measures on each of two targets."""
        return [
            Cell(
                at={"variant": variant, "target": target},
                row=(model,),
                column=(group, column),
                variant=f"transfer[system=hierarchical-cnn,variant={variant}]",
                measure=measure,
                published=Published(target, _TABLE, {"variant": model, "protocol": target}),
                protocol=target,
                in_percent=column != "ER",
            )
            for target, (group, columns) in _COLUMNS.items()
            for variant, model in _MODELS.items()
            for column, measure in columns.items()
        ]
