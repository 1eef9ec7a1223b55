"""Results that are stored: the newest run of each system, fold and repeat, read back without any recordings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Selection
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError, StoreError
from asc_bench.joint_results import joint_results
from asc_bench.names import near
from asc_bench.plain_values import texts
from asc_bench.protocol import Protocol
from asc_bench.registry import ProtocolLike, layouts, protocol_of, protocol_set, protocols
from asc_bench.results import TABLE, Results, table_digest, tables_folder
from asc_bench.runs.made_elsewhere import FOLDER
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import Named, SystemLike, listed, variant_of
from asc_bench.stored_protocol import DEFINITION, StoredProtocol

STORED = "stored"
"""Name of the set of all systems that are stored."""


def load_results(
    results: Path | str,
    protocol: ProtocolLike,
    *,
    budget: str = "quick",
    systems: SystemLike | Iterable[SystemLike] = "*",
    folds: str | Iterable[str] | None = None,
    synthetic: bool = False,
    selection: str = "own",
    augment: str | int = "",
    dataset: str = "",
    unofficial_split: bool = False,
    unofficial_files: bool = False,
) -> Results:
    """What is stored of a protocol: the newest run of each system, fold and repeat. No recordings are needed.

    Parameters
    ----------
    results : path
        Folder of results.
    protocol : str, Protocol or type
        By name, or one of your own.
    budget, folds, selection, augment
        As in `run`.
    systems : str, System, type or variant, or several of them
        Names, globs and ``name[setting=value]``, separated by commas; classes, and what `get_system` gives.
    synthetic : bool
        Runs on synthetic data instead of real recordings.
    dataset : str
        Which data, where results of several are stored: a name of a folder below ``results/runs``.
    unofficial_split : bool
        Runs on folds other than the official ones instead.
    unofficial_files : bool
        Runs on files that are not as published instead.

    Raises
    ------
    ConfigError
        If nothing is stored that fits, or on several data sets, or of a fold that is named.

    Examples
    --------
    >>> import asc_bench
    >>> results = asc_bench.load_results("results/reference", "esc10")  # doctest: +SKIP
    >>> results.compare(reference="logmel-svm")  # doctest: +SKIP
    """
    named = [system if isinstance(system, str) else str(variant_of(system)) for system in listed(systems)]
    found = stored_results(
        Path(results),
        protocol,
        budget=budget,
        systems=",".join(named),
        folds=folds,
        synthetic=synthetic,
        selection=selection,
        augment=str(augment or ""),
        unofficial_split=unofficial_split,
        unofficial_files=unofficial_files,
    )
    if dataset and dataset not in found:
        raise ConfigError(f"no run on the data {dataset!r} is stored{near(dataset, found)}")
    if not dataset and len(found) > 1:
        raise ConfigError(f"runs on several data are stored: {', '.join(found)}; name one as `dataset`")
    chosen = found[dataset or next(iter(found))]
    require_folds(chosen)
    return chosen


def require_folds(found: Results) -> None:
    """Raise ConfigError, with the near names, for a fold that is asked for and that no run is stored of."""
    there = list(dict.fromkeys(str(run.manifest["fold"]) for run in found.runs))
    for fold in found.folds:
        if fold not in there:
            raise ConfigError(f"no run of {fold!r} is stored{near(fold, there)}")


def stored_tables(
    results: Path,
    protocol: ProtocolLike,
    *,
    budget: str = "quick",
    folds: Sequence[str] = (),
    synthetic: bool = False,
    selection: str = "own",
    augment: str = "",
    unofficial_split: bool = False,
    unofficial_files: bool = False,
) -> Iterator[tuple[Results, str | None, bool]]:
    """The results of each set of systems that a table was made of, in that table's folder.

    Parameters are those of `load_results`; with ``folds`` each table of all folds is taken in these, in a folder
    below its own.

    Yields
    ------
    results : Results
        Of the systems of one table that have runs; nothing is stored of those that did not fit the protocol.
    reference : str or None
        The system that others are compared with there.
    probability_scores : bool
        Whether scores of probabilities are shown there.

    Raises
    ------
    ConfigError
        If nothing is stored that fits, or no run of a system of a table.
    StoreError
        If a ``table.json`` cannot be read.
    """
    whole = stored_results(
        results,
        protocol,
        budget=budget,
        synthetic=synthetic,
        selection=selection,
        augment=augment,
        unofficial_split=unofficial_split,
        unofficial_files=unofficial_files,
    )
    for tag, found in whole.items():
        for path in sorted((results / "tables" / tag / budget).rglob(TABLE)):
            try:
                made_of = json.loads(path.read_bytes())
                # Tables made before there was a digest have none.
                if made_of.pop("digest", None) not in (None, table_digest(made_of, path.parent)):
                    raise ValueError("its content does not match its digest; remove it, and run the systems again")
                systems, repeats, own_folds = made_of["systems"], made_of["repeats"], tuple(made_of["folds"])
                shown = made_of["reference"], bool(made_of["probability_scores"])
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
            if (folds and own_folds) or not systems:
                continue
            try:
                chosen = found.only(*systems, repeats=repeats)
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}; run it again, or remove the table's folder") from None
            place = path.parent / "-".join(folds)
            yield replace(chosen, folder=place, folds=tuple(folds) or own_folds), *shown


def _external(
    results: Path,
    protocol: Protocol,
    named: Named,
    *,
    synthetic: bool,
    unofficial_split: bool,
    unofficial_files: bool,
) -> dict[tuple[str, str, str], StoredRun]:
    """The newest predictions made elsewhere by data, system and fold; they have no budget and belong to each."""
    found = {}
    for run in ResultsStore(results).iterate(f"{protocol.name}*", FOLDER):
        m = run.manifest
        same = m["protocol"] == protocol.name and m["synthetic"] == synthetic
        same &= m.get("unofficial_split", False) == unofficial_split
        same &= m.get("unofficial_files", False) == unofficial_files
        if same and m["variant"] in named:
            found[run.folder.parents[2].name, m["variant"], m["fold"]] = run
    return found


def same_data(tag: str, data: str) -> bool:
    """Whether runs of a tag are on this data, whatever was chosen or deformed there."""
    return tag == data or tag.startswith((f"{data}-selection-", f"{data}-augment-"))


def _protocol(given: ProtocolLike, results: Path) -> Protocol:
    """As `protocol_of`; by a name that is registered nowhere, as it is kept with its newest run."""
    if isinstance(given, str) and given not in protocols().found and given not in layouts().found:
        kept = [
            run.manifest[DEFINITION]
            for run in ResultsStore(results).iterate(f"{given}*")
            if run.manifest["protocol"] == given and DEFINITION in run.manifest
        ]
        if kept:
            return StoredProtocol(kept[-1])
    return protocol_of(given)


def stored_results(
    results: Path,
    protocol: ProtocolLike,
    *,
    budget: str = "quick",
    systems: str = "*",
    folds: str | Iterable[str] | None = None,
    synthetic: bool = False,
    selection: str = "own",
    augment: str = "",
    unofficial_split: bool = False,
    unofficial_files: bool = False,
) -> dict[str, Results]:
    """Results by data, as the folders below ``results/runs`` are called; parameters are those of `load_results`.

    By the name of a set of protocols (``Protocol.mean_of``) they are those of all its members.
    """
    if members := protocol_set(protocol):
        return _joint(
            str(protocol),
            members,
            results,
            budget=budget,
            systems=systems,
            folds=folds,
            synthetic=synthetic,
            selection=selection,
            augment=augment,
            unofficial_split=unofficial_split,
            unofficial_files=unofficial_files,
        )
    if budget not in list(Budget):
        raise ConfigError(f"budget is {budget!r}{near(budget, [str(b) for b in Budget])}")
    named, chosen = Named.of(systems), texts(folds)
    instance = _protocol(protocol, results)
    augment = str(Augmentation.parse(augment)) if augment else ""
    newest: dict[tuple[str, str, str, int], StoredRun] = {}
    for run in ResultsStore(results).iterate(f"{instance.name}*", budget):
        m = run.manifest
        wanted = m["variant"] in named
        same = m["protocol"] == instance.name and m["synthetic"] == synthetic
        # Runs stored before there was a choice have none in their manifest.
        same &= m.get("selection", Selection.OWN) == selection
        same &= m.get("augmentation", "") == augment
        same &= m.get("unofficial_split", False) == unofficial_split
        same &= m.get("unofficial_files", False) == unofficial_files
        if same and wanted:
            newest[run.folder.parents[2].name, m["variant"], m["fold"], m["repeat"]] = run
    external = _external(
        results,
        instance,
        named,
        synthetic=synthetic,
        unofficial_split=unofficial_split,
        unofficial_files=unofficial_files,
    )
    if not newest and not external:
        kind = f"{'synthetic' if synthetic else 'real'} data"
        kind += " with an unofficial split" if unofficial_split else ""
        kind += " with unofficial files" if unofficial_files else ""
        how = "" if selection == Selection.OWN else f" with selection {selection}"
        how += f" with augmentation {augment}" if augment else ""
        raise ConfigError(
            f"{results} holds no run of {instance.name} at budget {budget} on {kind}{how} for {systems}; "
            "see `asc-bench run` and `asc-bench status`"
        )
    tags: dict[str, list[StoredRun]] = {}
    for (tag, *_), run in newest.items():
        tags.setdefault(tag, []).append(run)
    own = list(tags)
    for (data, *_), run in external.items():
        for tag in [tag for tag in own if same_data(tag, data)] or [data]:
            tags.setdefault(tag, []).append(run)
    return {
        tag: Results(
            protocol=instance,
            runs=tuple(runs),
            folder=tables_folder(results, tag, budget, STORED if systems == "*" else systems, chosen),
            folds=chosen,
        )
        for tag, runs in tags.items()
    }


def _joint(
    name: str,
    members: Sequence[type[Protocol]],
    results: Path,
    *,
    budget: str,
    systems: str,
    folds: str | Iterable[str] | None,
    **chosen: Any,
) -> dict[str, Results]:
    """Results of a set of protocols; what is not stored of some of them is missing there."""
    if texts(folds):
        raise ConfigError(f"{name} is the mean of {len(members)} protocols: folds are those of one; name that one")
    found: dict[Protocol, dict[str, Results]] = {}
    nothing: list[ConfigError] = []
    for member in members:
        protocol = member()
        try:
            found[protocol] = stored_results(results, protocol, budget=budget, systems=systems, **chosen)
        except ConfigError as error:
            found[protocol] = {}
            nothing.append(error)
    if len(nothing) == len(members):
        raise nothing[0]
    table = STORED if systems == "*" else systems
    return joint_results(name, found, results, budget=budget, table=table)
