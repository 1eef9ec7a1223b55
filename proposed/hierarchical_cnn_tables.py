"""Tables II, V and VI of the paper, to be run again: ``asc-bench reproduce hierarchical-cnn/table2``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from asc_bench.api import Cell, Published, Reproduction, TransferTable

LEVELS = {"coarse": "Coarse Level", "fine": "Fine Level"}
TOP = (1, 3)

_SPLIT_NOTE = (
    "The paper states no split, and augments in four ways; compare the order of the rows, not the numbers."
)


class _ByLevel(Reproduction):
    """Some variants, each with top-1 and top-3 accuracy at the levels that it predicts."""

    protocol = "merged"
    row_titles = ("model",)
    table: ClassVar[str]

    def _cells(
        self, row: str, settings: str, at: Mapping[str, str], where: Mapping[str, str], levels: Sequence[str]
    ) -> Iterator[Cell]:
        for level in LEVELS:
            for k in TOP:
                if level in levels:
                    yield Cell(
                        at=at,
                        row=(row,),
                        column=(LEVELS[level], f"Top-{k}"),
                        variant=f"hierarchical-cnn[{settings}]",
                        measure=f"{level} top-{k}",
                        published=Published(self.protocol, self.table, where),
                    )


class Table2(_ByLevel):
    """Which labels to train on, with and without attention."""

    name = "hierarchical-cnn/table2"
    title = "Hierarchical CNN, Table II: top-k accuracy by label levels and attention"
    table = "hierarchical_table2"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "labels": ("coarse", "fine", "coarse+fine"),
        "attention": ("yes", "no"),
    }
    notes = (
        _SPLIT_NOTE,
        "A cell is empty where a model is not trained on that level. Prototypes belong to the coarse classes, so "
        "that fine labels alone go without.",
    )

    def cells(self) -> Sequence[Cell]:
        """Six models by the levels that they predict."""
        return list(self._rows())

    def remarks(self) -> Sequence[str]:
        """What the published numbers say of each other."""
        from asc_bench.api import published_values

        both = published_values(Published(self.protocol, self.table, {"labels": "coarse+fine", "attention": "yes"}))
        fine, coarse = both["fine top-1"], both["coarse top-1"]
        if fine <= coarse:
            return ()
        return (
            f"The published fine accuracy ({fine}) is above the coarse one ({coarse}) of the same network. A right "
            "fine class implies a right coarse one, so its two heads contradict each other.",
        )

    def _rows(self) -> Iterator[Cell]:
        for labels in self.axes["labels"]:
            for attention in self.axes["attention"]:
                without = "" if attention == "yes" else " without attention"
                at = {"labels": labels, "attention": attention}
                settings = f"labels={labels},attention={attention}"
                yield from self._cells(f"{labels} labels{without}", settings, at, at, labels.split("+"))


class Table6(_ByLevel):
    """Recurrent layers instead of the attention pooling."""

    name = "hierarchical-cnn/table6"
    title = "Hierarchical CNN, Table VI: top-k accuracy with recurrent layers"
    table = "hierarchical_table6"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"rnn": ("none", "lstm", "gru")}
    notes = (
        _SPLIT_NOTE,
        "What the recurrent layers read is a guess: the dense outputs of the three chunks of a clip; their last "
        "state is classified.",
    )

    def cells(self) -> Sequence[Cell]:
        """Three models by two levels."""
        names = {"none": "CNN baseline", "lstm": "CNN+LSTM", "gru": "CNN+GRU"}
        return [
            cell
            for rnn, name in names.items()
            for cell in self._cells(name, f"rnn={rnn}", {"rnn": rnn}, {"variant": name}, tuple(LEVELS))
        ]


_TABLE_5 = "hierarchical_table5"
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
        "Fine-tuning trains the classification layer alone. What else the paper leaves open stands in "
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
                published=Published(target, _TABLE_5, {"variant": model, "protocol": target}),
                protocol=target,
                in_percent=column != "ER",
            )
            for target, (group, columns) in _COLUMNS.items()
            for variant, model in _MODELS.items()
            for column, measure in columns.items()
        ]
