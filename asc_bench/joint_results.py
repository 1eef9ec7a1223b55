"""Stored results of several protocols as those of one, whose primary measure is the mean of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from asc_bench.joint_protocol import JointProtocol
from asc_bench.protocol import Protocol
from asc_bench.results import Results, tables_folder
from asc_bench.runs.store import StoredRun


def joint_results(
    name: str,
    members: Mapping[Protocol, Mapping[str, Results]],
    root: Path,
    *,
    budget: str,
    table: str,
) -> dict[str, Results]:
    """Results of a set of protocols by data; a system that lacks a run of a member has no score there.

    Parameters
    ----------
    name : str
        Of the set.
    members : mapping
        Protocol to its results by data (see ``stored_results``), empty where nothing is stored.
    root : Path
        Folder of results.
    budget : str
        Of the runs.
    table : str
        Name of the set of systems.
    """
    joint = JointProtocol(name, list(members))
    by_data: dict[str, list[tuple[Protocol, StoredRun]]] = {}
    for member, found in members.items():
        for tag, results in found.items():
            data = f"{name}{tag.removeprefix(member.name)}"
            by_data.setdefault(data, []).extend((member, run) for run in results.runs)
    return {
        data: Results(
            protocol=joint,
            runs=tuple(of_set(run, member, joint) for member, run in runs),
            folder=tables_folder(root, data, budget, table),
        )
        for data, runs in by_data.items()
    }


def joined(name: str, members: Mapping[Protocol, Results]) -> Results:
    """Results of one call, of all members on the same data, as those of the set; tables go beside theirs."""
    first = next(iter(members.values()))
    budget, _, _, root = first.folder.parents[:4]
    by_data = {member: {results.folder.parents[1].name: results} for member, results in members.items()}
    (found,) = joint_results(name, by_data, root, budget=budget.name, table=first.folder.name).values()
    unfinished = tuple(title for results in members.values() for title in results.unfinished)
    return replace(found, unfinished=unfinished)


def of_set(run: StoredRun, member: Protocol, joint: JointProtocol) -> StoredRun:
    """The same run as one of the set: its protocol is a fold there. All members test the same clips."""
    counts = next(iter(run.manifest["expected"].values()))
    facts: dict[str, Any] = {
        "protocol": joint.name,
        "protocol_title": joint.title,
        "protocol_version": joint.version,
        "fold": member.part,
        "expected": dict.fromkeys(joint.parts, counts),
    }
    return replace(run, manifest={**run.manifest, **facts})
