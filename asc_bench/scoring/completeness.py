"""Is every clip of the test split there? A system with a gap gets no score."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from asc_bench.labels import FINE

Expected = Mapping[str, Mapping[str, int]]
"""Number of test clips by fold and device (``""`` where a data set names no devices)."""


def completeness(expected: Expected, predictions: pd.DataFrame) -> tuple[str, ...]:
    """What is missing, or too much, in the test predictions of one system; nothing if it may be scored.

    Parameters
    ----------
    expected : mapping of fold to mapping of device to int
        Test clips of the protocol.
    predictions : DataFrame
        Of one system, with the columns ``fold`` and ``repeat``. Every repeat and every label level that
        occurs must be complete.

    Returns
    -------
    tuple of str
        Sentences such as ``179/180 on device B, fold1: incomplete``.
    """
    test = predictions[predictions["split"] == "test"]
    by = ["level", "repeat", "fold", "device"]
    counts = test.groupby(by)["clip_id"].nunique().reset_index()
    found: dict[tuple[str, int], dict[tuple[str, str], int]] = {}
    for level, repeat, fold, device, n in counts.to_numpy().tolist():
        found.setdefault((level, repeat), {})[fold, device] = n
    wanted = {(f, d): n for f, devices in expected.items() for d, n in devices.items()}
    levels = list(dict.fromkeys(test["level"])) or [FINE]
    repeats = sorted(predictions["repeat"].unique()) or [0]
    sentences = []
    for level in levels:
        for repeat in repeats:
            there = found.get((level, repeat), {})
            for fold, device in dict.fromkeys([*wanted, *there]):
                n, of = there.get((fold, device), 0), wanted.get((fold, device), 0)
                if n == of:
                    continue
                place = f"on device {device}, {fold}" if device else f"in {fold}"
                place += f", repeat {repeat}" if len(repeats) > 1 else ""
                place += f", {level} labels" if len(levels) > 1 else ""
                sentences.append(f"{n}/{of} {place}: " + ("incomplete" if n < of else "more than expected"))
    return tuple(sentences)
