"""Damaged files of every kind that the harness writes, met by the next call with the same settings."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from asc_bench.errors import AscBenchError
from asc_bench.reporting.report_runs import STAMP, TEXT
from asc_bench.results import TABLE, Results
from asc_bench.stored_results import stored_tables
from tests.storm.damage import DAMAGES
from tests.storm.kind import Kind, leftovers, require
from tests.storm.place import Place

PAIR = ("toy-a", "toy-b")
KEPT = ("toy-kept", "toy-kept[jitter=0.02]")
NET = ("storm-net",)
TABLES = (TEXT, "results.csv", STAMP, TABLE)

AGAIN = (
    "the same call notices, computes what is needed again and ends with exactly the digests of an undisturbed one"
)
WRITTEN = (
    "`run` and `report` print what they printed before, or `report` refuses and names the file; after `run` all "
    "files are as they were"
)


def kinds(rounds: int) -> list[Kind]:
    """Each kind of file with each damage."""
    listed: list[tuple[str, str, Callable[..., None], str, int]] = [
        ("damaged predictions", f"{AGAIN}; the run is put aside", _run, "predictions.parquet", rounds),
        ("damaged manifest", f"{AGAIN}; the run is put aside", _run, "manifest.json", rounds),
        ("damaged weights", f"{AGAIN}, and with its weights", _weights, "means.json", rounds),
        ("damaged features", f"{AGAIN}; the entry is put aside", _features, "features.npy", rounds),
        ("damaged description of features", AGAIN, _features, "meta.json", rounds),
        ("damaged index of recordings", AGAIN, _index, "*.parquet", rounds),
        ("damaged checkpoint of a run in progress", f"{AGAIN}, without a break", _checkpoint, "", rounds),
        *((f"damaged {name}", WRITTEN, _tables, name, 1) for name in TABLES),
    ]
    return [
        Kind(
            title, promise, [partial(trial, how=how, name=name) for how in DAMAGES for _ in range(n)], beside=False
        )
        for title, promise, trial, name, n in listed
    ]


def _files(folder: Path, name: str) -> list[Path]:
    return sorted(path for path in folder.rglob(name) if "quarantine" not in path.parts)


def _same(place: Place, systems: Sequence[str], **options: object) -> Results:
    """The same call ends with the digests of an undisturbed one."""
    results = place.call(*systems, **options)
    require(not results.unfinished, f"unfinished: {results.unfinished}")
    require(place.stored() == place.ground.called(*systems, **options).digests, "it ends with other digests")
    left = leftovers(place.results, place.cache)
    require(not left, f"left behind: {[str(path) for path in left]}")
    return results


def _run(place: Place, how: str, name: str) -> None:
    place.copy_results(place.ground.called(*PAIR))
    path, other = place.rng.sample(_files(place.results / "runs", name), 2)
    changed = place.damage(path, how, other=other)
    _same(place, PAIR)
    n_aside = len(list((place.results / "quarantine").glob("*")))
    # A space that became a tab changes nothing that a manifest says.
    require(n_aside == 1 or not changed or name == "manifest.json", f"{name}, {how}: {n_aside} runs put aside")
    require(sum(place.fits.values()) == n_aside, f"{name}, {how}: {dict(place.fits)} fitted, {n_aside} put aside")


def _weights(place: Place, how: str, name: str) -> None:
    undisturbed = place.ground.called(*KEPT, keep_weights=True)
    place.copy_results(undisturbed)
    path, other = place.rng.sample(_files(place.results / "runs", name), 2)
    place.damage(path, how, other=other)
    _same(place, KEPT, keep_weights=True)
    before = {
        path.relative_to(undisturbed.results): path.read_bytes() for path in _files(undisturbed.results, name)
    }
    after = {path.relative_to(place.results): path.read_bytes() for path in _files(place.results, name)}
    require(before == after, f"{name}, {how}: the weights are others")


def _features(place: Place, how: str, name: str) -> None:
    place.ground.called(*PAIR)
    place.ground.called("storm-finer")
    place.copy_cache()
    found = _files(place.cache / "features", name)
    (own,) = (path for path in found if '"n_mels": 16' in (path.parent / "meta.json").read_text())
    changed = place.damage(own, how, other=next(path for path in found if path != own))
    _same(place, PAIR)
    n_aside = len(list((place.cache / "quarantine").glob("*")))
    require(n_aside == 1 or not changed or name == "meta.json", f"{name}, {how}: {n_aside} entries put aside")


def _index(place: Place, how: str, name: str) -> None:
    place.ground.called(*PAIR)
    place.copy_cache()
    place.call(*PAIR, synthetic_seed=1)
    (other,) = _files(place.cache / "index", name)
    place.call(*PAIR)
    (own,) = (path for path in _files(place.cache / "index", name) if path != other)
    place.damage(own, how, other=other)
    shutil.rmtree(place.results)
    _same(place, PAIR)


def _checkpoint(place: Place, how: str, name: str) -> None:
    """Stop a training half way, and damage its checkpoint; the other one is of another seed."""
    place.ground.called(*NET)
    folder = place.stopped_training(NET[0])
    (path,) = folder.glob("*.safetensors")
    other = path.with_name("other")
    shutil.copyfile(path, other)
    if how == "swapped":
        _of_another_training(other)
    place.damage(path, how, other=other)
    _same(place, NET)


def _of_another_training(path: Path) -> None:
    from asc_bench.training.checkpoint import read_tensors, write_tensors

    tensors, facts = read_tensors(path)
    write_tensors(path, tensors, facts | {"identity": "0" * 64})


def _tables(place: Place, how: str, name: str) -> None:
    undisturbed = place.ground.called(*PAIR)
    place.copy_results(undisturbed)
    said, folder = undisturbed.stdout, place.call(*PAIR).folder
    (other,) = _files(place.ground.called("toy-a").results / "tables", name)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    place.damage(folder / name, how, other=other)
    try:
        whole = stored_tables(place.results, "dcase2018", budget="smoke", synthetic=True)
        (again,) = (results.report().text for results, *_ in whole if results.folder == folder)
        require(again == said, f"{name}, {how}: report prints {again[:400]!r}")
    except AscBenchError as error:
        require(str(folder / name) in str(error), f"{name}, {how}: {error}")
    printed = place.call(*PAIR).report().text
    require(printed == said, f"{name}, {how}: run prints {printed[:400]!r}")
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    differ = [name for name in before if before[name] != after.get(name)]
    require(before.keys() == after.keys() and not differ, f"{name}, {how}: other files: {differ}")
