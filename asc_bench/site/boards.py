"""Runs of several folders sorted into tables: one for each protocol, data, selection and budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from asc_bench.errors import AscBenchError, ConfigError
from asc_bench.joint_results import joint_results
from asc_bench.names import count, slug
from asc_bench.protocol import Protocol
from asc_bench.registry import protocol_set
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.installed import commands_of
from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.page.systems import system_rows
from asc_bench.reporting.setting import Setting, agreed
from asc_bench.results import Results
from asc_bench.runs.made_elsewhere import FOLDER
from asc_bench.runs.store import StoredRun
from asc_bench.site.folders import ResultsFolder
from asc_bench.stored_results import same_data
from asc_bench.verification import Evaluate, protocol_of_runs

Group = tuple[str, str, tuple[tuple[str, str], ...]]
"""Tag and budget, as folders below ``runs`` are called, and what all manifests agree on."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything on one protocol, data, selection and budget.

    Attributes
    ----------
    name : str
        Of its page, without ending.
    evaluation : Evaluation
        Its numbers.
    origins : mapping
        System with settings, as it is named there, to the label of the folder that its runs come from.
    """

    name: str
    evaluation: Evaluation
    origins: Mapping[str, str]

    @property
    def folders(self) -> tuple[str, ...]:
        """Labels of all these folders."""
        return tuple(dict.fromkeys(self.origins.values()))

    @cached_property
    def setting(self) -> Setting:
        """What all its runs share."""
        return self.evaluation.setting

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """One per system, best first."""
        return self.evaluation.outcomes

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """As the results page shows systems, in the order of ``outcomes``."""
        return system_rows(self.evaluation)


@dataclass(frozen=True)
class _Table:
    tag: str
    budget: str
    protocol: Protocol
    runs: tuple[StoredRun, ...]
    origins: Mapping[str, str]

    @property
    def folders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.origins.values()))


def boards(folders: Sequence[ResultsFolder], *, evaluate: Evaluate) -> tuple[list[Board], dict[str, list[str]]]:
    """Sort the runs of all folders into tables and compute their numbers.

    Of each folder the newest run of a system, fold and repeat counts, as in its own tables. A run that two folders
    hold is that of the first. A system that several folders have runs of is named with its folder, so that its
    rows stand side by side. Runs of a protocol that is not known here, or of another version, or that cannot be
    scored, are on no page.

    Parameters
    ----------
    folders : sequence of ResultsFolder
        In the order in which they were named.
    evaluate : callable
        Computes the numbers.

    Returns
    -------
    boards : list of Board
        Real data first, then by title.
    left_out : dict
        Label of a folder to sentences about its runs that are on no page.
    """
    tables, left_out = _tables(_named(folders))
    tables += _joint(tables)
    taken: Counter[str] = Counter()
    found = []
    for table in tables:
        try:
            evaluation = evaluate(table.protocol, table.runs)
        except AscBenchError as error:
            for label in table.folders:
                left_out.setdefault(label, []).append(f"runs/{table.tag}: {error}")
            continue
        if len(folders) > 1:
            evaluation = replace(evaluation, commands=_commands(table))
        stem = f"{table.tag}-{table.budget}"
        taken[stem] += 1
        name = slug(stem if taken[stem] == 1 else f"{stem}-{taken[stem]}")
        found.append(Board(name=name, evaluation=evaluation, origins=table.origins))
    return sorted(found, key=lambda b: (b.setting.synthetic, b.setting.title, b.name)), left_out


def _named(folders: Sequence[ResultsFolder]) -> dict[str, list[StoredRun]]:
    """Label to runs, without copies, and with the folder in the name of a system that several have."""
    seen: set[str] = set()
    own: dict[str, list[StoredRun]] = {}
    for folder in folders:
        fresh = [run for run in folder.runs if run.manifest["digest"] not in seen]
        seen.update(str(run.manifest["digest"]) for run in fresh)
        own[folder.label] = fresh
    holders = Counter(v for runs in own.values() for v in {str(run.manifest["variant"]) for run in runs})
    return {
        label: [
            run if holders[str(run.manifest["variant"])] == 1 else _renamed(run, label) for run in runs
        ]
        for label, runs in own.items()
    }  # fmt: skip


def _renamed(run: StoredRun, label: str) -> StoredRun:
    return replace(run, manifest={**run.manifest, "variant": f"{run.manifest['variant']} ({label})"})


def _tables(runs_of: Mapping[str, Sequence[StoredRun]]) -> tuple[list[_Table], dict[str, list[str]]]:
    groups: dict[Group, list[tuple[str, StoredRun]]] = {}
    elsewhere: list[tuple[str, StoredRun]] = []
    for label, runs in runs_of.items():
        newest: dict[tuple[str, str, str, str, int], StoredRun] = {}
        for run in runs:  # oldest first
            m = run.manifest
            newest[_tag(run), _budget(run), str(m["variant"]), str(m["fold"]), int(m["repeat"])] = run
        for run in newest.values():
            if _budget(run) == FOLDER:
                elsewhere.append((label, run))
            else:
                key = (_tag(run), _budget(run), tuple(sorted(agreed(run.manifest).items())))
                groups.setdefault(key, []).append((label, run))
    own = list(groups)
    for label, run in elsewhere:
        facts = agreed(run.manifest)
        fitting = [
            (tag, budget, shared)
            for tag, budget, shared in own
            if same_data(tag, _tag(run)) and all(dict(shared).get(k, v) == v for k, v in facts.items())
        ]
        for key in fitting or [(_tag(run), FOLDER, tuple(sorted(facts.items())))]:
            groups.setdefault(key, []).append((label, run))
    found: list[_Table] = []
    left_out: dict[str, list[str]] = {}
    for (tag, budget, _), members in groups.items():
        in_order = sorted((run for _, run in members), key=lambda run: str(run.manifest["finished"]))
        origins = {str(run.manifest["variant"]): label for label, run in members}
        try:
            protocol, _ = protocol_of_runs(in_order)
        except AscBenchError as error:
            for label in dict.fromkeys(origins.values()):
                n = sum(of == label for of, _ in members)
                left_out.setdefault(label, []).append(f"{count(n, 'run')} of runs/{tag}: {error}")
            continue
        found.append(_Table(tag, budget, protocol, tuple(in_order), origins))
    return found, left_out


def _joint(tables: Sequence[_Table]) -> list[_Table]:
    """Tables of whole sets of protocols on the same data, whose mean ranks systems."""
    found = []
    sets = dict.fromkeys((t.protocol.mean_of, t.budget) for t in tables if t.protocol.mean_of)
    for name, budget in sets:
        members = {cls.name for cls in protocol_set(name)}
        own = [t for t in tables if t.protocol.mean_of == name and t.budget == budget]
        # By name, since each table has an instance of its own.
        by_name: dict[str, Protocol] = {t.protocol.name: t.protocol for t in own}
        if set(by_name) != members:
            continue
        ordered = [by_name[cls.name] for cls in protocol_set(name)]
        results = {
            protocol: {
                t.tag: Results(protocol=protocol, runs=t.runs, folder=Path())
                for t in own
                if t.protocol.name == protocol.name
            }
            for protocol in ordered
        }
        for tag, joint in joint_results(name, results, Path(), budget=budget, table="").items():
            origins = {variant: label for t in own for variant, label in t.origins.items()}
            runs = tuple(sorted(joint.runs, key=lambda run: str(run.manifest["finished"])))
            if _agree(runs):
                found.append(_Table(tag, budget, joint.protocol, runs, origins))
    return found


def _agree(runs: Sequence[StoredRun]) -> bool:
    """Whether runs of a set of protocols are on one state of the data, so that their mean is one of something."""
    try:
        Setting.of([run.manifest for run in runs])
    except ConfigError:
        return False
    return True


def _commands(table: _Table) -> tuple[str, ...]:
    """What makes a table of one folder again; a command reads no more than one, and knows no folder in a name."""
    label, *others = table.folders
    if others:
        return ()
    return tuple(
        commands_of(
            [
                {**run.manifest, "variant": str(run.manifest["variant"]).removesuffix(f" ({label})")}
                for run in table.runs
            ]
        )
    )


def _tag(run: StoredRun) -> str:
    return run.folder.parents[2].name


def _budget(run: StoredRun) -> str:
    return run.folder.parents[1].name


def remembering(evaluate: Callable[..., Evaluation]) -> Evaluate:
    """The same, computed once for the same runs: a folder is verified by numbers that its pages show as well."""
    known: dict[object, Evaluation] = {}

    def remembered(
        protocol: Protocol,
        runs: Sequence[StoredRun],
        *,
        folds: Sequence[str] = (),
        reference: str | None = None,
        probability_scores: bool = True,
    ) -> Evaluation:
        which = tuple((str(run.manifest["digest"]), str(run.manifest["variant"])) for run in runs)
        key = (protocol.name, which, tuple(folds), reference, probability_scores)
        if key not in known:
            known[key] = evaluate(
                protocol, runs, folds=folds, reference=reference, probability_scores=probability_scores
            )
        return known[key]

    return remembered
