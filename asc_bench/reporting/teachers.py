"""What stands below a table of systems that were distilled: whom they learnt from, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.text import quantity, seconds

TEACHERS = "teachers"
"""Manifest entry of a distilled system, written by ``asc_bench.runs.distillation``."""


def teacher_notes(ranked: Sequence[Outcome]) -> list[str]:
    """A sentence for each system with teachers, and what the columns of its row count.

    Parameters
    ----------
    ranked : sequence of Outcome
        Rows of the table.
    """
    notes = []
    for outcome in ranked:
        taught = [m[TEACHERS] for m in outcome.manifests if m["status"] == "done" and m.get(TEACHERS)]
        if taught:
            notes.append(_of_one(outcome.system, taught))
    if notes:
        notes.append("Parameters, MACs and train time of a distilled system are those of the student alone.")
    return notes


def _of_one(system: str, taught: Sequence[Mapping[str, Any]]) -> str:
    first = taught[0]
    crossed = first["logits"] == "cross-fitted"
    way = (
        f"cross-fitted logits ({first['n_parts']} groups of recording locations, each predicted by teachers that "
        "were trained without it)"
        if crossed
        else "in-sample logits (of teachers that were trained on these clips as well)"
    )
    teachers = "; ".join(_teacher(name, [one["systems"][name] for one in taught]) for name in first["systems"])
    return f"{system} was trained on labels and on {way} of {teachers}."


def _teacher(name: str, costs: Sequence[Mapping[str, Any]]) -> str:
    """Its cost, of training in the mean over the runs."""
    first, train_s = costs[0], sum(float(cost["fit_s"]) for cost in costs) / len(costs)
    said = [f"{quantity(first[key])} {what}" for key, what in _COUNTED.items() if first.get(key) is not None]
    trainings = f" in {first['n_trainings']} trainings" if first["n_trainings"] > 1 else ""
    text = f"{name} ({', '.join([*said, f'train time {seconds(train_s)} s{trainings}'])})"
    if first["external"]:
        text += f", which reads {', '.join(first['external'])}: what that was trained on is not known here"
    if first["needs_device"] != "no":
        text += ", which is given the recording device"
    return text


_COUNTED = {"n_parameters": "parameters", "n_multiply_adds": "MACs"}
