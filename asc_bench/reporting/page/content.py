"""What the page shows, as one tree of JSON values: every number with the text that tables print for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from asc_bench.reporting.columns import printed_value
from asc_bench.reporting.comparisons import adjusted_p
from asc_bench.reporting.evaluation import ALL_CLIPS, Evaluation
from asc_bench.reporting.page.curves import learning_curves
from asc_bench.reporting.page.origin import failures, run_rows, sources_of_numbers
from asc_bench.reporting.page.place import ALONE, Place
from asc_bench.reporting.page.systems import finite, system_rows
from asc_bench.reporting.text import SOURCE_ONLY, decimals, difference_in, in_unit, percent, with_interval
from asc_bench.scoring.measure import Measure

LARGEST_FILE = 400_000
"""Characters of a file that the page holds for download; longer ones stand beside it."""
MOST_PAIRS = 1000
"""Rows of tests that the page holds; significance.csv holds all."""

_OF_CLASSES = (
    ("detection", "f_score", "detection: F (%)", True),
    ("detection", "precision", "detection: precision (%)", True),
    ("detection", "recall", "detection: recall (%)", True),
    ("detection", "error_rate", "detection: error rate", False),
    ("tagging", "f_score", "tagging: F1 (%)", True),
    ("tagging", "precision", "tagging: precision (%)", True),
    ("tagging", "recall", "tagging: recall (%)", True),
)


def content(evaluation: Evaluation, *, files: Mapping[str, str], place: Place = ALONE) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    evaluation, files, place
        As in ``html_page``.

    Returns
    -------
    dict
        JSON values without NaN: what is not defined is None. Percent are fractions, as in ``results.csv``; where a
        text stands beside a number it is that of the printed tables.
    """
    setting = evaluation.setting
    results = evaluation.results()
    return {
        "title": setting.title,
        "caveats": list(setting.caveats),
        "notes": [note for note in results.notes if note not in setting.caveats],
        "measures": [_measure(m, evaluation) for m in evaluation.all_measures],
        "compared": [m.name for m in evaluation.compared or evaluation.measures[:1]],
        "by": evaluation.by,
        "systems": [row | {"page": place.systems.get(row["system"], "")} for row in system_rows(evaluation)],
        "references": _references(evaluation) if setting.comparable else [],
        "source_only": _source_only(evaluation),
        "pairs": _pairs(evaluation),
        "tests": _tests(evaluation),
        "classes": _classes(evaluation),
        "confusions": _confusions(evaluation),
        "curves": learning_curves(evaluation),
        "runs": run_rows(evaluation.manifests),
        "failures": failures(evaluation),
        "origin": sources_of_numbers(evaluation),
        "files": {name: text if len(text) <= LARGEST_FILE else None for name, text in files.items()},
        "beside": dict(place.files),
    }


def _measure(measure: Measure, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "name": measure.name,
        "unit": measure.unit,
        "higher": measure.higher_is_better,
        "group": measure.group,
        # A measure of one stratum is that of a device, source or city.
        "part": measure.strata if measure.strata in ("device", "source", "city") and len(measure.of) == 1 else "",
        "primary": measure is evaluation.measures[0],
    }


def _references(evaluation: Evaluation) -> list[dict[str, Any]]:
    units = {measure.name: measure for measure in evaluation.all_measures}
    return [
        {
            "title": reference.title,
            "source": reference.source,
            "values": {
                name: {
                    "value": value / 100 if units[name].unit == "percent" else value,
                    "text": printed_value(value, units[name]),
                }
                for name, value in reference.values.items()
                if name in units
            },
        }
        for reference in evaluation.references
    ]


def _source_only(evaluation: Evaluation) -> dict[str, Any] | None:
    """The row of the baseline that knows nothing of a clip but its source; None where there is one source."""
    if not evaluation.source_only:
        return None
    units = {measure.name: measure.unit for measure in evaluation.all_measures}
    known = {name: value for name, value in evaluation.source_only.items() if name in units}
    return {"title": SOURCE_ONLY, "texts": {name: in_unit(value, units[name]) for name, value in known.items()}}


def _pairs(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Both signs of each difference as text: the page reads a pair from either side."""
    units = {measure.name: measure.unit for measure in evaluation.all_measures}
    found = []
    for record in evaluation.significance.to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        signed = partial(difference_in, unit=units[str(row["measure"])])
        difference, low, high = (float(row[name]) for name in ("difference", "low", "high"))
        found.append(
            {
                "measure": str(row["measure"]),
                "a": str(row["system_a"]),
                "b": str(row["system_b"]),
                "difference": difference,
                "low": finite(low),
                "high": finite(high),
                "text": with_interval(difference, low, high, signed),
                "reverse": with_interval(-difference, -high, -low, signed),
                "p": finite(float(row["p_bootstrap_holm"])),
                "p_text": adjusted_p(row),
            }
        )
    return found


def _tests(evaluation: Evaluation) -> dict[str, Any]:
    """The printed table of every test of every pair, as far as the page holds it."""
    table = evaluation.tests()
    caveats = evaluation.setting.caveats
    return {
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows[:MOST_PAIRS]] if len(evaluation.significance) else [],
        "n": len(evaluation.significance),
        "notes": [note for note in table.notes if note not in caveats],
    }


def _classes(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Tables of classes by systems: recall by device, or what is measured of a class of several to a clip."""
    if "classes" in evaluation.further:
        frame = evaluation.further["classes"][1]
        chosen = [
            (title, higher, frame[frame["level"] == level].rename(columns={column: "shown"}))
            for level, column, title, higher in _OF_CLASSES
        ]
    else:
        frame = evaluation.recalls()
        chosen = [
            (f"recall (%), {str(device) or ALL_CLIPS}", True, rows.rename(columns={"recall": "shown"}))
            for device, rows in frame.groupby("device", sort=False)
        ]
    return [
        {
            "title": title,
            "higher": higher,
            "percent": "%" in title,
            "labels": list(dict.fromkeys(map(str, rows["label"]))),
            "values": {
                str(system): {
                    str(label): [finite(float(v)), percent(float(v)) if "%" in title else decimals(float(v))]
                    for label, v in zip(own["label"], own["shown"], strict=True)
                }
                for system, own in rows.groupby("system", sort=False)
            },
        }
        for title, higher, rows in chosen
    ]


def _confusions(evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """Counts that are not zero, as row, column and number of clips."""
    return {
        system: [
            {
                "device": device or ALL_CLIPS,
                "labels": [str(label) for label in frame.index],
                "cells": [[int(i), int(j), int(counts[i, j])] for i, j in np.argwhere(counts > 0)],
            }
            for device, frame in frames.items()
            for counts in (frame.to_numpy(dtype=int),)
        ]
        for system, frames in evaluation.pooled_confusions().items()
    }
