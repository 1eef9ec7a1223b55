"""Tables II and VI of the paper, to be run again: ``asc-bench reproduce hierarchical-cnn/table2``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from asc_bench.api import Cell, Published, Reproduction

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
