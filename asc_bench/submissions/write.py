"""The files of a submission, written from predictions: a table for each output, and the meta file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.labels import FINE
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.rows import clip_rows, lacking_levels
from asc_bench.submissions.meta import result_tree
from asc_bench.submissions.years import CLASSES, SEPARATOR, Year

_ACCURACY = Measure("accuracy")
_LOG_LOSS = Measure("log loss", average="clips", statistic="log-loss")


def output_text(names: Sequence[str], probabilities: npt.NDArray[np.floating]) -> str:
    """A file of predictions: file name, most probable class, and the probability of each class.

    Parameters
    ----------
    names : sequence of str
        Of the audio files.
    probabilities : float array, shape (n_files, 10)
        In the order of the sorted class names; rows are divided by their sum, which single precision leaves a
        little off one.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    values = values / values.sum(axis=1, keepdims=True)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=SEPARATOR, lineterminator="\n")
    writer.writerow(("filename", "scene_label", *CLASSES))
    for name, row in zip(names, values, strict=True):
        writer.writerow((name, CLASSES[int(row.argmax())], *(f"{p:.9g}" for p in row)))
    return text.getvalue()


def fine_rows(predictions: pd.DataFrame) -> pd.DataFrame:
    """Test predictions of scenes, of a run that has their probabilities.

    Raises
    ------
    ConfigError
        If it has none.
    """
    rows = predictions[(predictions["split"] == "test") & (predictions["level"] == FINE)]
    if rows.empty or lacking_levels(rows, _LOG_LOSS):
        raise ConfigError("the run has no probabilities of scenes, which a submission needs")
    return rows.reset_index(drop=True)


def development_results(rows: pd.DataFrame, year: Year) -> dict[str, Any]:
    """What the meta file says of the development set.

    Parameters
    ----------
    rows : DataFrame
        From `fine_rows`.
    year : Year
        Challenge, which says how accuracies on devices are averaged.

    Returns
    -------
    dict
        ``overall``, ``class_wise``, ``device_wise``, each with ``accuracy`` in percent and ``logloss`` in nats. The
        overall accuracy is the mean over classes, as the challenges have it; those of devices are means over
        classes or clips, as in the year. A log loss is a mean over clips.
    """
    of_devices = Measure("accuracy", average=year.on_devices)

    def number(group: str, name: str, measure: str) -> float | None:
        asked = _LOG_LOSS if measure == "logloss" else of_devices if group == "device_wise" else _ACCURACY
        if group == "overall":
            return _value(rows, asked)
        column = {"class_wise": rows["label"], "device_wise": rows["device"].str.lower()}[group]
        return _value(rows[column == name], asked)

    return result_tree(number)


def _value(rows: pd.DataFrame, measure: Measure) -> float | None:
    """None where there is no clip, which the check of a submission refuses."""
    if rows.empty:
        return None
    value = clip_rows(rows, measure).value()
    return round(100 * value, 2) if measure.unit == "percent" else round(value, 4)
