"""Several data sets as one: recordings cut to clips of one length, each with the name of its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from asc_bench.data.manifest import Dataset, clip_table
from asc_bench.errors import DataError


def join_datasets(
    parts: Mapping[str, Sequence[Dataset]], *, duration_s: float, views: Sequence[str] = ()
) -> Dataset:
    """Put data sets together, their recordings cut without overlap and without remainder.

    Parameters
    ----------
    parts : mapping
        Source to its data sets, indexed, such as the development and the evaluation set of one source.
    duration_s : float
        Length of every clip.
    views : sequence of str
        Waveforms that clips of binaural recordings are given as; the clip table then has the column ``views``.

    Returns
    -------
    Dataset
        Scenes are the labels of the sources, as they are. Clips are named ``source/clip`` or
        ``source/clip@start``, locations and recordings ``source/...``; cut clips share their recording. The
        sources' own divisions are not taken over. What is missing or short in a part is so in the whole.

    Raises
    ------
    DataError
        If a recording is no whole number of clips long, clips of two parts have one name, or synthetic and real
        recordings would be mixed.
    """
    datasets = [dataset for of_source in parts.values() for dataset in of_source]
    kinds = {dataset.synthetic for dataset in datasets}
    if len(kinds) > 1:
        real = next(d.root for d in datasets if not d.synthetic)
        raise DataError(f"synthetic and real recordings cannot be joined; {real} is real")
    tables = [_cut(dataset, source, duration_s=duration_s) for source, its in parts.items() for dataset in its]
    if views:
        named = " ".join(views)
        tables = [c.assign(views=named if d.binaural else "") for c, d in zip(tables, datasets, strict=True)]
    missing = [
        clips["clip_id"][clips["whole_id"].isin(dataset.missing)]
        for clips, dataset in zip(tables, datasets, strict=True)
    ]
    return Dataset(
        name="+".join(parts),
        root=datasets[0].root,
        clips=clip_table(pd.concat([clips.drop(columns="whole_id") for clips in tables], ignore_index=True)),
        splits=(),
        missing=tuple(clip for ids in missing for clip in ids),
        shortfalls=tuple(f"{d.name}: {sentence}" for d in datasets for sentence in d.shortfalls),
        synthetic=kinds == {True},
        file_digests={path: digest for d in datasets for path, digest in d.file_digests.items()},
        sources=tuple(parts),
        parts=tuple(datasets),
        official=all(d.official for d in datasets),
        caveats=tuple(dict.fromkeys(caveat for d in datasets for caveat in d.caveats)),
        unofficial_split=any(d.unofficial_split for d in datasets),
        unofficial_files=any(d.unofficial_files for d in datasets),
        files="; ".join(f"{d.name}: {d.files}" for d in datasets if d.files),
    )


def _cut(dataset: Dataset, source: str, *, duration_s: float) -> pd.DataFrame:
    """Clip table of one data set, cut; ``whole_id`` is the clip's name in the data set itself."""
    whole = dataset.clips
    n_clips = np.rint(whole["duration_s"] / duration_s).astype(int)
    ragged = ((whole["duration_s"] - n_clips * duration_s).abs() > 1e-6).to_numpy()
    if ragged.any():
        row = whole[ragged].iloc[0]
        raise DataError(
            f"{dataset.name}: {row['clip_id']!r} is {row['duration_s']:g} s long, "
            f"not a whole number of clips of {duration_s:g} s; its end would be lost"
        )
    cut = whole.loc[whole.index.repeat(n_clips)].reset_index(drop=True)
    offset_s = cut.groupby("clip_id").cumcount() * duration_s
    alone = (cut["duration_s"] == duration_s).to_numpy()
    at = np.where(alone, "", "@" + offset_s.map("{:g}".format))
    return cut.assign(
        whole_id=cut["clip_id"],
        clip_id=f"{source}/" + cut["clip_id"] + at,
        start_s=cut["start_s"] + offset_s,
        duration_s=duration_s,
        location=f"{source}/" + cut["location"],
        recording_id=f"{source}/" + cut["recording_id"],
        source=source,
        flag="",
    )
