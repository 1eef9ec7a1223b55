"""Every file of a stored run damaged at random, many times, and looked up as `run` and `report` do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from asc_bench.errors import StoreError
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import MANIFEST, PREDICTIONS, SEGMENTS, TRACEBACK, WEIGHTS, ResultsStore
from tests.storm.damage import DAMAGES, damage
from tests.storm.kind import Kind, require
from tests.storm.place import Place
from tests.unit.made_runs import made_bench, publish, specs_of
from tests.unit.segment_factory import LABELS, run_of

N_EACH = 10
"""Times that each damage is done to each file in a round, at another place."""

FOUND = (
    "looked up before it is computed again, the run counts as absent and is put aside; taken from a list, its "
    "predictions raise StoreError; a manifest that is believed says exactly what was stored"
)


def kinds(rounds: int) -> list[Kind]:
    """Each file of a run."""
    names = (PREDICTIONS, SEGMENTS, f"{WEIGHTS}/net.bin", TRACEBACK, MANIFEST)
    return [
        Kind(
            f"{name.rpartition('/')[0] or name} of a stored run",
            FOUND,
            [partial(_damaged, name=name, how=how, n=N_EACH * rounds) for how in DAMAGES],
            beside=False,
        )
        for name in names
    ]


def _damaged(place: Place, name: str, how: str, n: int) -> None:
    sound, spec, other = _stored(place.folder / "sound", name)
    said = sound.load(spec)
    assert said is not None
    for number in range(n):
        store = ResultsStore(place.folder / str(number))
        shutil.copytree(sound.root, store.root)
        place.n_faults += 1
        changed = damage(store.runs / spec.folder / name, how, place.rng, other=sound.runs / other / name)
        listed = [run for run in store.iterate() if run.folder.name == Path(spec.folder).name]
        for run in listed if changed and name in (PREDICTIONS, SEGMENTS) else []:
            require(_refuses(lambda run=run: run.predictions if name == PREDICTIONS else run.segments),
                    f"{name}, {how}: damaged predictions were given out")  # fmt: skip
        found = store.load(spec)
        if found is None:
            aside = list((store.root / "quarantine").iterdir())
            require(len(aside) == 1, f"{name}, {how}: put aside are {aside}")
        else:
            harmless = not changed or name == MANIFEST
            require(harmless and found.manifest == said.manifest, f"{name}, {how}: taken for sound")
        shutil.rmtree(store.root)


def _refuses(read: Callable[[], object]) -> bool:
    try:
        read()
    except StoreError:
        return True
    return False


def _stored(root: Path, name: str) -> tuple[ResultsStore, RunSpec, str]:
    """A store of two runs that have this file; the run that is damaged, and the folder of the other one."""
    store, bench = ResultsStore(root), made_bench()
    specs = [specs_of(bench, system)[0] for system in ("logmel-svm", "sb-cnn")]
    for number, spec in enumerate(specs):
        if name in (PREDICTIONS, MANIFEST):
            publish(store, bench, spec, n_right=5 + number)
            continue
        header = {"key": spec.key, "status": "done", "finished": "", "variant": str(spec.variant)}
        weights = store.root / "fitted"
        if name.startswith(WEIGHTS):
            weights.mkdir(parents=True)
            (weights / "net.bin").write_bytes(bytes(range(256)) * (4 + number))
        store.publish(
            spec,
            header,
            segments=run_of(str(spec.variant), noise=0.3, seed=number)[1] if name == SEGMENTS else None,
            labels=LABELS if name == SEGMENTS else None,
            traceback=f"Traceback of run {number}\n" * 9 if name == TRACEBACK else None,
            weights=weights if name.startswith(WEIGHTS) else None,
        )
    return store, specs[0], str(specs[1].folder)
