"""Predictions that other software made, kept beside runs: same folders, same files, and a manifest that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.bench.keys import digest
from asc_bench.errors import ConfigError
from asc_bench.names import slug
from asc_bench.registry import protocols, systems
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.stored_protocol import DEFINITION, definition

MADE_ELSEWHERE = "made_elsewhere"
"""Manifest entry of such predictions: where they come from, as far as that is stated; it may be empty."""
FOLDER = "made-elsewhere"
"""Their folder, in the place of a budget."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True, kw_only=True)
class ExternalPlace:
    """Where the predictions of one fold are kept.

    Attributes
    ----------
    tag : str
        Protocol and data, as the folders below ``results/runs`` are called.
    name : str
        Of the system.
    fold : str
        Whose test clips were predicted.
    key : str
        sha256 over the predictions, the clips and the name.
    """

    tag: str
    name: str
    fold: str
    key: str

    @property
    def folder(self) -> str:
        """Path below ``results/runs``."""
        return f"{self.tag}/{FOLDER}/{slug(self.name)}/{slug(self.fold)}-r0-{self.key[:12]}"


def check_name(name: str) -> None:
    """Refuse what could not be named in ``--systems``, and the names of systems here.

    Raises
    ------
    ConfigError
        With what to do.
    """
    if not _NAME.match(name):
        raise ConfigError(
            f"the name {name!r} is not made of letters, digits, dots, hyphens and underscores: give another "
            "one (--name)"
        )
    if name in systems().found:
        raise ConfigError(
            f"{name!r} is a system of asc-bench: give predictions that were made elsewhere another name (--name)"
        )


def store_external(
    frame: pd.DataFrame, bench: Bench, store: ResultsStore, *, name: str, fold: str, origin: Mapping[str, object]
) -> StoredRun:
    """Keep the predictions of the test clips of a fold as those of an external system.

    They take part in tables and tests of every budget, since none was spent here.

    Parameters
    ----------
    frame : DataFrame
        From `prediction_frame` or `named_frame` of ``asc_bench.scoring.predictions``.
    bench : Bench
        Protocol and data.
    store : ResultsStore
        Where they are kept.
    name : str
        Of the system.
    fold : str
        Of the bench.
    origin : mapping
        Where they come from, such as ``{"file": "output.csv", "sha256": "..."}``; plain values.

    Raises
    ------
    ConfigError
        As `check_name`.
    StoreError
        If they cannot be written.
    """
    check_name(name)
    dataset, protocol = bench.dataset, bench.protocol
    now = datetime.now(UTC)
    registered = protocols().found.get(protocol.name) is type(protocol)
    kept = None if registered else definition(protocol)
    rows = [*frame["clip_id"], *frame["predicted"], *(p.tobytes().hex() for p in frame["probabilities"])]
    parts = {"predictions": digest(rows), "protocol": f"{protocol.name} v{protocol.version}", "fold": fold}
    parts |= {"name": name}
    place = ExternalPlace(tag=bench.tag, name=name, fold=fold, key=digest(parts))
    manifest = {
        "status": "done",
        MADE_ELSEWHERE: dict(origin),
        "protocol": protocol.name,
        "protocol_title": protocol.title,
        "protocol_version": protocol.version,
        "dataset": dataset.name,
        **({"sources": list(dataset.sources)} if dataset.sources else {}),
        **({"data_caveats": list(dataset.caveats)} if dataset.caveats else {}),
        **({"unofficial_split": True} if dataset.unofficial_split else {}),
        **({"unofficial_files": True} if dataset.unofficial_files else {}),
        **({} if kept is None else {DEFINITION: kept}),
        "synthetic": dataset.synthetic,
        "synthetic_size": dataset.root.parent.name if dataset.synthetic else "",
        "system": name,
        "variant": name,
        "params": {},
        "fold": fold,
        "repeat": 0,
        "key": place.key,
        "key_parts": parts,
        "expected": bench.expected(),
        "needs_device": str(origin.get("needs_device", "no")),
        "durations_s": {},
        "finished": now.isoformat(timespec="milliseconds"),
    }
    return store.publish(place, manifest, predictions=frame, labels=protocol.labels)
