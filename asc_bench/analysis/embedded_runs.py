"""Embeddings of the clips of stored runs, by the weights that were kept, and the file of them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from asc_bench.analysis.clusters import ClusterDistances, cluster_distances, unit_length
from asc_bench.analysis.embedding import can_embed, embeddings
from asc_bench.bench.bench import Bench
from asc_bench.bench.waveforms import averaged
from asc_bench.errors import ConfigError, DataError
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.protocol import Fold
from asc_bench.registry import systems
from asc_bench.runs.fitted import given_clips
from asc_bench.runs.settings import Settings
from asc_bench.systems.base import System

SCHEMA_VERSION = 1
SPLITS = ("test", "validation", "train")
SCALES = ("raw", "unit")
"""Embeddings as they are, or each divided by its length."""
VIEWS_RULE = "mean over the waveforms of a clip, before any normalisation"

_METADATA_KEY = b"asc_bench"
_OPTIONAL = ("source", "device", "city")


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Clips of one fold, embedded by the network of that fold.

    Attributes
    ----------
    fold : str
        Whose network it is.
    split : str
        One of ``SPLITS``.
    clips : DataFrame
        Clip table rows.
    vectors : float32 array, shape (n_clips, d)
        Of a clip that is given as several waveforms, the mean of theirs: as its probabilities are averaged.
    """

    fold: str
    split: str
    clips: pd.DataFrame
    vectors: npt.NDArray[np.float32]


def refuse_without_embedding(name: str) -> None:
    """Refuse a system that has no embeddings, before anything is read.

    Raises
    ------
    ConfigError
        Naming the systems that have them.
    """
    found = systems()
    if not can_embed(found.get(name)):
        able = [other for other in found.names() if can_embed(found.found[other])]
        others = f"those that give them: {', '.join(able)}" if able else "no registered system gives them"
        raise ConfigError(f"{name} gives no embeddings (it has no method embed(clips)); {others}")


def embedded(system: System, bench: Bench, fold: Fold, settings: Settings, *, split: str = "test") -> Embedded:
    """Embed the clips of a split.

    Parameters
    ----------
    system : System
        With the weights of the fold's run.
    bench : Bench
        Protocol and data.
    fold : Fold
        Of the bench.
    settings : Settings
        Where features are cached.
    split : {"test", "validation", "train"}
        As the protocol divides the clips; a system that chooses nothing trains on those of validation as well.

    Raises
    ------
    ConfigError
        For another split, or a system without embeddings.
    DataError
        If the fold has no clip of this split.
    SystemFailure
        If the embeddings are no numbers, (n_clips, d).
    """
    if split not in SPLITS:
        raise ConfigError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    ids: tuple[str, ...] = getattr(fold, split)
    if not ids:
        raise DataError(f"{bench.protocol.name}, {fold.name} has no {split} clips")
    found = embeddings(system, given_clips(bench, ids, system, settings))
    vectors = averaged({"embedding": found}, bench.feature_rows(ids)[1])["embedding"]
    return Embedded(fold=fold.name, split=split, clips=bench.select(ids), vectors=vectors)


def class_names(clips: pd.DataFrame, labels: LabelSpace) -> dict[str, list[str]]:
    """Class of each clip by label level, the coarse level first where there is one."""
    fine = labels.encode(clips["scene"])
    names = {FINE: [labels.fine[i] for i in fine]}
    if labels.coarse:
        names = {COARSE: [labels.coarse[i] for i in labels.to_coarse(fine)], **names}
    return names


def distances(
    one: Embedded, labels: LabelSpace
) -> tuple[dict[tuple[str, str], ClusterDistances], dict[tuple[str, str], str]]:
    """Distances inside and between classes, by label level and scale, and why some have none.

    Parameters
    ----------
    one : Embedded
        Of one network.
    labels : LabelSpace
        Its levels; a level that the network never saw is measured as well.

    Returns
    -------
    measured : mapping of (level, scale) to ClusterDistances
    undefined : mapping of (level, scale) to str
        A reason for each that is missing: one class, or embeddings of length zero.
    """
    measured: dict[tuple[str, str], ClusterDistances] = {}
    undefined: dict[tuple[str, str], str] = {}
    for scale in SCALES:
        for level, names in class_names(one.clips, labels).items():
            try:
                vectors = unit_length(one.vectors) if scale == "unit" else one.vectors
                measured[level, scale] = cluster_distances(vectors, names)
            except DataError as error:
                undefined[level, scale] = str(error)
    return measured, undefined


def embedding_file(parts: Sequence[Embedded], labels: LabelSpace, about: Mapping[str, Any]) -> bytes:
    """Parquet with a row for each fold and clip; equal parts give equal bytes (with one version of pyarrow).

    The columns are ``clip_id``, ``fold``, ``split``, ``source``, ``device`` and ``city`` (where the data have
    them), ``location``, ``fine`` and ``coarse`` (where the protocol has it), then ``e000``, ``e001``... as float32.
    Each number has a column, so that ``frame.filter(regex="^e[0-9]+$")`` in pandas and ``pl.col("^e[0-9]+$")`` in
    polars are the matrix; a column of lists would be an array of objects in pandas.

    Parameters
    ----------
    parts : sequence of Embedded
        One for each fold, with embeddings of one size.
    labels : LabelSpace
        Classes.
    about : mapping
        JSON values for the file's metadata, under the key ``asc_bench``.
    """
    frames = []
    for part in parts:
        names = class_names(part.clips, labels)
        extra = [c for c in _OPTIONAL if c in part.clips.columns and (part.clips[c] != "").any()]
        frames.append(
            part.clips[["clip_id", *extra, "location"]].assign(
                fold=part.fold,
                split=part.split,
                **{level: names[level] for level in (FINE, COARSE) if level in names},
            )
        )
    table = pd.concat(frames, ignore_index=True)
    order = ["clip_id", "fold", "split", *_OPTIONAL, "location", FINE, COARSE]
    columns = {c: pa.array(table[c].fillna("").to_numpy(dtype=object), pa.string()) for c in order if c in table}
    vectors = np.concatenate([part.vectors for part in parts])
    columns |= {f"e{i:03d}": pa.array(vectors[:, i], pa.float32()) for i in range(vectors.shape[1])}
    content = {"schema_version": SCHEMA_VERSION, "views": VIEWS_RULE, **about}
    whole = pa.table(columns).replace_schema_metadata({_METADATA_KEY: json.dumps(content).encode()})
    buffer = io.BytesIO()
    pq.write_table(whole, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()
