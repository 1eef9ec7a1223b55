"""Predictions that were made elsewhere, scored under a protocol like those of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.bench.completeness import incomplete
from asc_bench.bench.source import Source
from asc_bench.errors import ConfigError, DataError
from asc_bench.labels import FINE
from asc_bench.names import near
from asc_bench.plain_values import paths, texts
from asc_bench.registry import ProtocolLike
from asc_bench.reporting.report_runs import probability_measures
from asc_bench.runs.made_elsewhere import check_name, store_external
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.scoring.frames import score_table
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import named_frame, prediction_frame

PREFIX = "p_"
_KEY = ["system", "fold", "repeat"]


def score(
    predictions: pd.DataFrame,
    protocol: ProtocolLike,
    *,
    data: str | Path | Iterable[str | Path] | None = None,
    synthetic: bool = False,
    synthetic_size: str = "small",
    synthetic_seed: int = 0,
    sources: str | Iterable[str] = (),
    cache: str | Path | None = None,
    folds: str | Iterable[str] = (),
    unofficial_split: bool = False,
) -> pd.DataFrame:
    """Score predictions of any origin on the test clips of a protocol.

    Parameters
    ----------
    predictions : DataFrame
        A row for each test clip, with the columns

        ``clip_id``
            Of the protocol's clip table, or the name of the audio file, with or without its folders and ending.
        ``p_<class>``
            Probability of each class, for all classes of the protocol. Or ``predicted``, the name of the class, if
            there are no probabilities: scores that need these are left out then.
        ``system``, ``fold``, ``repeat``, ``level``
            Where there are several; by default one system, the fold that tests the clip, repeat 0 and the fine
            classes. What ``Results.predictions`` gives is scored as it is.
    protocol : str, Protocol or type
        By name, or one of your own.
    data, synthetic, synthetic_size, synthetic_seed, sources, cache
        Where the data set lies, as in `run`. Its lists are read for the labels; no audio file is.
    folds : str or sequence of str
        Folds that are scored; empty for all.
    unofficial_split : bool
        Accept folds that are not the official ones.

    Returns
    -------
    DataFrame
        As ``Results.scores``: a row for each system and measure, with its 95 % interval over recording locations. A
        system that lacks test clips gets no value; ``incomplete`` says which.

    Raises
    ------
    ConfigError
        For what is no table, missing columns, unknown classes or folds, probabilities that are no numbers, and
        protocols whose clips have several labels.
    DataError
        For unknown and repeated clips, the data set not found, or lists other than the official ones.
    SystemFailure
        For probabilities that are negative, not finite, or do not sum to one.

    Examples
    --------
    >>> import asc_bench, pandas
    >>> asc_bench.score(pandas.read_csv("mine.csv"), "esc10", data="/data")  # doctest: +SKIP
    """
    source = Source(
        roots=paths(data),
        synthetic=synthetic,
        synthetic_size=synthetic_size,
        synthetic_seed=synthetic_seed,
        cache=None if cache is None else Path(cache),
        sources=texts(sources),
        unofficial_split=unofficial_split,
    )
    bench = source.bench(protocol, lambda fraction, text: None, audio=False)
    if bench.protocol.multi_label:
        raise ConfigError(
            f"clips of {bench.protocol.name} have several labels: its scores need thresholds chosen on validation "
            "clips, which a table of test predictions does not hold"
        )
    if bench.dataset.shortfalls:
        raise incomplete(bench.protocol.name, bench.dataset)
    return score_on(predictions, bench, folds=texts(folds))


def score_on(predictions: pd.DataFrame, bench: Bench, *, folds: Sequence[str] = ()) -> pd.DataFrame:
    """Do what `score` does with a protocol that is applied to its data already."""
    _check_folds(folds, bench)
    table = _with_clips(_completed(predictions, bench), bench)
    levels = set(table["level"])
    asked = [m for m in _measures(bench, table) if set(m.levels) <= levels]
    if not asked:
        raise ConfigError(
            f"no measure of {bench.protocol.name} can be taken of predictions of the level "
            f"{', '.join(sorted(levels))} without probabilities: give columns {PREFIX}<class>"
        )
    frames = []
    for key, rows in table.groupby(_KEY, sort=False):
        about: dict[str, Any] = dict(zip(_KEY, key, strict=True))
        frame = pd.concat([_frame(level, of_it, bench) for level, of_it in rows.groupby("level", sort=False)])
        frames.append(frame.assign(**about))
    expected = {fold: counts for fold, counts in bench.expected().items() if not folds or fold in folds}
    stacked = pd.concat(frames, ignore_index=True)
    return score_table(stacked[stacked["fold"].isin(expected)], asked, expected=expected)


def keep(
    predictions: pd.DataFrame,
    bench: Bench,
    store: ResultsStore,
    *,
    name: str,
    origin: Mapping[str, object],
    folds: Sequence[str] = (),
) -> list[StoredRun]:
    """Store predictions of any origin as those of an external system, which tables and tests then show.

    Parameters
    ----------
    predictions : DataFrame
        As in `score`, of one system and of the fine classes. If it holds both probabilities and a column
        ``predicted``, the classes of this column are what counts where two classes are equally probable.
    bench : Bench
        Protocol and data.
    store : ResultsStore
        Where they are kept.
    name, origin
        As in `store_external`.
    folds : sequence of str
        Folds whose test clips they are; empty for all.

    Returns
    -------
    list of StoredRun
        One for each fold.

    Raises
    ------
    ConfigError, DataError, SystemFailure
        As `score`; and if a test clip of these folds has no prediction.
    """
    check_name(name)
    if bench.protocol.multi_label:
        raise ConfigError(f"clips of {bench.protocol.name} have several labels; only those of one can be kept here")
    _check_folds(folds, bench)
    table = _with_clips(_completed(predictions, bench), bench)
    several = next((c for c in ("system", "repeat", "level") if table[c].nunique() > 1), None)
    if several is not None or table["level"].iloc[0] != FINE:
        raise ConfigError(
            f"the column {several or 'level'!r} holds {', '.join(map(str, table[several or 'level'].unique()))}; "
            f"keep the predictions of one system, one repeat and the level {FINE!r} at a time"
        )
    kept = []
    for fold in bench.folds:
        if folds and fold.name not in folds:
            continue
        rows = table[table["fold"] == fold.name]
        lacking = sorted(set(fold.test) - set(rows["clip_id"]))
        if lacking:
            raise DataError(
                f"{len(lacking)} of {len(fold.test)} test clips of {fold.name} have no prediction, such as "
                f"{lacking[0]!r}"
            )
        kept.append((fold.name, _kept_frame(rows, bench)))
    return [store_external(frame, bench, store, name=name, fold=fold, origin=origin) for fold, frame in kept]


def _kept_frame(rows: pd.DataFrame, bench: Bench) -> pd.DataFrame:
    """Predictions as given: class names stay names, and of equally probable classes the named one counts."""
    labels = bench.protocol.labels
    clips = bench.select(list(rows["clip_id"]))
    if not _has_probabilities(rows):
        _probabilities(rows, labels.fine)  # what is wrong with the names
        return named_frame(clips, labels, list(map(str, rows["predicted"])), split="test")
    if "predicted" not in rows.columns:
        return _frame(FINE, rows, bench)
    named = rows["predicted"].astype(str).to_numpy()
    _check_named(named, rows, labels.fine)
    values = _with_named_first(_probabilities(rows, labels.fine).astype(np.float32), labels.encode(named))
    return prediction_frame(clips, labels, {FINE: values}, split="test")


def _with_named_first(values: npt.NDArray[np.float32], named: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Of equal largest probabilities make that of the named class the largest, by one step of single precision.

    Rank and probabilities tell together which class is the true one, so the rank alone must not be changed. The
    others step down, and the largest probability of a clip stays as given; only the last class steps up, so that
    in an open set, where it is the unknown one, the largest of the known classes stays as well.
    """
    classes = np.arange(values.shape[1])
    largest = values.max(axis=1, keepdims=True)
    ahead = (values == largest) & (classes < named[:, np.newaxis])
    is_last = (named == classes[-1])[:, np.newaxis]
    lowered = np.where(ahead & ~is_last, np.nextafter(values, np.float32(0)), values)
    raised = ahead.any(axis=1, keepdims=True) & is_last & (classes == classes[-1])
    return np.where(raised, np.nextafter(largest, np.float32(2)), lowered)


def _check_named(named: npt.NDArray[Any], rows: pd.DataFrame, classes: Sequence[str]) -> None:
    """Each must be a class, and none more probable."""
    index = {name: i for i, name in enumerate(classes)}
    values = _probabilities(rows, classes)
    for clip, name, row in zip(rows["clip_id"], named, values, strict=True):
        if name not in index:
            raise ConfigError(f"{name!r} is no class{near(name, classes)}")
        if row[index[name]] < row.max():
            best = classes[int(row.argmax())]
            raise ConfigError(
                f"{clip!r} is predicted as {name!r} with {row[index[name]]:g}, and {best!r} has {row.max():g}"
            )


def _check_folds(folds: Sequence[str], bench: Bench) -> None:
    known = [fold.name for fold in bench.folds]
    for name in folds:
        if name not in known:
            raise ConfigError(f"{bench.protocol.name} has no fold {name!r}{near(name, known)}")


def _completed(predictions: object, bench: Bench) -> pd.DataFrame:
    """With all columns, whatever was left out."""
    if not isinstance(predictions, pd.DataFrame):
        kind = type(predictions).__name__
        raise ConfigError(f"predictions must be a pandas DataFrame, not of the type {kind}; see pandas.read_csv")
    if "clip_id" not in predictions.columns:
        there = ", ".join(map(str, predictions.columns))
        raise ConfigError(f"predictions need a column 'clip_id'; there are {there}")
    if predictions.empty:
        raise ConfigError("there are no predictions")
    table = predictions.reset_index(drop=True)
    defaults: dict[str, Any] = {"system": "predictions", "repeat": 0, "level": FINE}
    table = table.assign(**{name: value for name, value in defaults.items() if name not in table.columns})
    levels = bench.protocol.labels.levels
    unknown = sorted(set(table["level"]) - set(levels))
    if unknown:
        raise ConfigError(f"{bench.protocol.name} has no label level {unknown[0]!r}{near(unknown[0], levels)}")
    return table


def _with_clips(table: pd.DataFrame, bench: Bench) -> pd.DataFrame:
    """With the protocol's clip ids, and the fold that tests each clip."""
    names = _names(bench)
    given = table["clip_id"].astype(str)
    # Folders of another machine, with either kind of slash, tell nothing; the name alone has to be one clip's.
    ids = given.map(names).fillna(given.map(lambda name: names.get(PureWindowsPath(name).name)))
    if ids.isna().any():
        missing = table.loc[ids.isna(), "clip_id"]
        raise DataError(
            f"{len(missing)} clips are not clips of {bench.protocol.name}, such as {missing.iloc[0]!r}"
            f"{near(str(missing.iloc[0]), list(bench.rows), listed=3) if len(bench.rows) < 5000 else ''}"
        )
    tested: dict[str, list[str]] = {}
    for fold in bench.folds:
        for clip in fold.test:
            tested.setdefault(clip, []).append(fold.name)
    if "fold" not in table.columns:
        several = [clip for clip in ids if len(tested.get(clip, ())) > 1]
        if several:
            raise ConfigError(f"{several[0]!r} is tested in several folds: give a column 'fold'")
        table = table.assign(fold=[(tested.get(clip) or [""])[0] for clip in ids])
    table = table.assign(clip_id=ids)
    for clip, fold in zip(table["clip_id"], table["fold"], strict=True):
        if fold not in tested.get(clip, ()):
            where = f"fold {fold!r}" if fold else "any fold"
            raise DataError(f"{clip!r} is no test clip of {where} of {bench.protocol.name}; give test clips only")
    twice = table.duplicated([*_KEY, "level", "clip_id"])
    if twice.any():
        row = table[twice].iloc[0]
        raise DataError(f"{row['system']} has two predictions of {row['clip_id']!r} in {row['fold']}")
    return table


def _names(bench: Bench) -> Mapping[str, str]:
    """What a clip may be called: its id, and its file with or without its ending and its folders below that of the
    data set, as challenge lists have it, where these are one clip's.
    """
    found: dict[str, str] = {}
    paths = [Path(path) for path in bench.clips["path"]]
    root = bench.dataset.root
    below = [p.relative_to(root) if p.is_relative_to(root) else Path(p.name) for p in paths]
    bare = [p.with_suffix("").as_posix() for p in below]
    for given in ([p.stem for p in paths], [p.name for p in paths], bare, [p.as_posix() for p in below]):
        once = pd.Series(given).value_counts()
        found |= {name: clip for name, clip in zip(given, bench.clips["clip_id"], strict=True) if once[name] == 1}
    return found | {clip: clip for clip in bench.clips["clip_id"]}


def _measures(bench: Bench, table: pd.DataFrame) -> list[Measure]:
    """Those of the protocol and of probabilities, or what can be said without probabilities."""
    defined = bench.protocol.measures_on(bench.dataset.sources)
    if _has_probabilities(table):
        return [*defined, *probability_measures(bench.protocol)]
    return [m for m in defined if not m.needs_probabilities]


def _has_probabilities(table: pd.DataFrame) -> bool:
    return any(str(column).startswith(PREFIX) for column in table.columns)


def _frame(level: object, rows: pd.DataFrame, bench: Bench) -> pd.DataFrame:
    labels = bench.protocol.labels
    values = _probabilities(rows, labels.classes(str(level)))
    return prediction_frame(bench.select(list(rows["clip_id"])), labels, {str(level): values}, split="test")


def _probabilities(rows: pd.DataFrame, classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """As given, or one for the class that was named."""
    if _has_probabilities(rows):
        given = {str(c).removeprefix(PREFIX): str(c) for c in rows.columns if str(c).startswith(PREFIX)}
        lacking = [name for name in classes if name not in given]
        if lacking:
            unknown = sorted(set(given) - set(classes))
            there = f"; there are columns of {', '.join(unknown)}, which are no classes" if unknown else ""
            raise ConfigError(f"there is no column {PREFIX}{lacking[0]} for the class {lacking[0]!r}{there}")
        try:
            return rows[[given[name] for name in classes]].to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"columns {PREFIX}<class> hold what is no number: {error}") from error
    if "predicted" not in rows.columns:
        raise ConfigError(f"predictions need columns {PREFIX}<class> for the classes, or a column 'predicted'")
    index = {name: i for i, name in enumerate(classes)}
    unknown = sorted(set(map(str, rows["predicted"])) - set(index))
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is no class{near(unknown[0], classes)}")
    return np.eye(len(classes))[[index[str(name)] for name in rows["predicted"]]]
