"""How a training went: what the loop notes at ends of epochs and at validations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_EPOCHS = 500
"""Epochs of a training that are noted: of a longer one every second, third, ..., and the last."""


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One moment of a training.

    Attributes
    ----------
    step : int
        Steps of the optimiser that are done.
    epoch : int
        Passes over the training clips that are done.
    learning_rate : float
        Of the last step.
    train_loss : float
        Mean over the steps since the row before.
    validation_loss : float, optional
        If the network was validated after this step.
    validation_accuracy : float, optional
        Mean over classes; likewise, where the training plan decides on the accuracy.
    """

    step: int
    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None

    def values(self) -> dict[str, float]:
        """What there is beside the step."""
        return {name: value for name, value in asdict(self).items() if name != "step" and value is not None}


Listener = Callable[[str, HistoryRow], None]


@dataclass
class PartHistory:
    """Rows of one training, in order.

    Attributes
    ----------
    listener : callable, optional
        Given each row as it comes; also those of an interrupted training that is taken up.
    """

    listener: Callable[[HistoryRow], None] | None = None
    rows: list[HistoryRow] = field(default_factory=list)

    def add(self, row: HistoryRow) -> None:
        """Note a row."""
        self.rows.append(row)
        if self.listener is not None:
            self.listener(row)

    def restore(self, rows: Iterable[HistoryRow]) -> None:
        """Begin with what a checkpoint holds."""
        for row in rows:
            self.add(row)


@dataclass
class History:
    """All trainings of a run: a system may train several networks, or one in several parts.

    Attributes
    ----------
    listener : callable, optional
        Given each row, with the name of its part.
    """

    listener: Listener | None = None
    parts: dict[str, PartHistory] = field(default_factory=dict)

    def part(self, name: str = "training") -> PartHistory:
        """A training that begins, under a name of its own: a second one of the same name gets a number."""
        taken = sum(known == name or known.rpartition("-")[0] == name for known in self.parts)
        unique = f"{name}-{taken + 1}" if name in self.parts else name
        listener = self.listener
        made = PartHistory() if listener is None else PartHistory(lambda row: listener(unique, row))
        self.parts[unique] = made
        return made

    def frame(self) -> pd.DataFrame:
        """One row per row of each part: ``part`` and the attributes of `HistoryRow`, NaN where there is none."""
        import pandas as pd

        rows = [{"part": name, **asdict(row)} for name, part in self.parts.items() for row in part.rows]
        return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))


HISTORY_COLUMNS = ("part", *(each.name for each in fields(HistoryRow)))
