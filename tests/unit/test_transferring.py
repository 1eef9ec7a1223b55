"""From one task to another: which run each transfer starts from, and what must not leak."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.data.manifest import Dataset, clip_table
from asc_bench.errors import ConfigError
from asc_bench.protocol import Fold
from asc_bench.registry import protocols
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.transfer import VARIANTS, Route
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.base import MultiLabelTask
from tests.unit.made_runs import publish

ROOT = Path("/nonexistent/set")


def bench(
    protocol: str,
    folds: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    *,
    dataset: str,
    scenes: Sequence[str] = ("dog", "rain"),
    root: Path = ROOT,
    sources: tuple[str, ...] = (),
    synthetic: bool = False,
    digests: Mapping[str, str] | None = None,
) -> Bench:
    """A protocol on clips that are called after their recordings; folds are (train, test)."""
    places = sorted({place for fold in folds.values() for part in fold for place in part})
    rows = [
        {
            "clip_id": place,
            "path": str(root / f"{place}.wav"),
            "start_s": 0.0,
            "duration_s": 5.0,
            "scene": scenes[i % len(scenes)],
            "coarse": "",
            "device": "",
            "city": "",
            "location": place,
            "recording_id": place,
            **({"source": place.partition("/")[0], "flag": ""} if sources else {}),
        }
        for i, place in enumerate(places)
    ]
    table = clip_table(rows)
    found = Dataset(
        name=dataset,
        root=root,
        clips=table,
        splits=(),
        synthetic=synthetic,
        sources=sources,
        file_digests=dict(
            zip(
                table["path"],
                (
                    (digests or {}).get(place) or sha256(f"{root}/{place}".encode()).hexdigest()
                    for place in table["clip_id"]
                ),
                strict=True,
            )
        ),
    )
    made = tuple(Fold(name, tuple(train), (), tuple(test)) for name, (train, test) in folds.items())
    return Bench(protocols().get(protocol)(), found, table, made)


FIVE = {f"fold{n}": ([str(10 * m) for m in range(1, 6) if m != n], [str(10 * n)]) for n in range(1, 6)}


def route(source: Bench, target: Bench, systems: str = "sb-cnn") -> Route:
    return Route(source, target, tuple(parse_variants(systems)))


def planned(
    way: Route, variants: Sequence[str] = ("finetune",), **options: object
) -> tuple[list[RunSpec], list[RunSpec]]:
    sources = way.sources(budget=Budget.SMOKE, repeats=(0,), **options)  # type: ignore[arg-type]
    moved = way.transfers(variants, settings={})
    targets = plan(way.target, moved, budget=Budget.SMOKE, origins=way.origins(sources), **options)  # type: ignore[arg-type]
    return sources, targets


def test_every_system_in_every_variant() -> None:
    way = route(bench("esc10", FIVE, dataset="esc-10"), bench("esc10", FIVE, dataset="esc-10"), "sb-cnn,raw-cnn")
    moved = way.transfers(VARIANTS, layers=("classifier", "all"), settings={"pooling": "noisy-or", "window_s": 1.0})
    rest = "source=esc10-esc-10"
    expected = [
        "variant=retrain,pooling=noisy-or,window_s=1.0",
        f"{rest},pooling=noisy-or,window_s=1.0",
        f"{rest},layers=all,pooling=noisy-or,window_s=1.0",
        f"{rest},variant=svm,window_s=1.0",
        f"{rest},variant=lr,window_s=1.0",
    ]
    assert [str(v) for v in moved] == [f"transfer[system={s},{e}]" for s in ("sb-cnn", "raw-cnn") for e in expected]


def test_a_system_with_settings_is_transferred_with_them() -> None:
    way = route(bench("esc10", FIVE, dataset="esc-10"), bench("esc10", FIVE, dataset="esc-10"), "sb-cnn[bn=true]")
    sources, targets = planned(way)
    assert [str(s.variant) for s in sources] == ["sb-cnn[bn=true]"] * 5
    assert all(t.origin is not None and t.origin.spec in sources for t in targets)


def test_divisions_of_one_data_set_are_paired_by_name() -> None:
    halves = [bench(f"esc10-{half}", FIVE, dataset="esc-10") for half in "ab"]
    sources, targets = planned(route(*halves))
    assert [s.fold for s in sources] == list(FIVE)
    assert [(t.fold, t.origin.spec.fold) for t in targets if t.origin] == [(f, f) for f in FIVE]
    assert [t.origin.task.labels for t in targets if t.origin] == [halves[0].protocol.labels] * 5
    # Only what the asked folds start from is trained.
    sources, targets = planned(route(*halves), folds=("fold4",))
    assert [s.fold for s in sources] == [t.fold for t in targets] == ["fold4"]


def test_other_data_start_from_the_first_fold() -> None:
    target = bench(
        "greatest-hits", {"random": (["x"], ["y"])}, dataset="greatest-hits", root=Path("/nonexistent/b")
    )
    sources, (moved,) = planned(route(bench("esc10", FIVE, dataset="esc-10"), target))
    assert [s.fold for s in sources] == ["fold1"] and moved.origin is not None
    assert moved.origin.spec is sources[0]
    # A fold of the same name elsewhere is another division.
    elsewhere = bench(
        "esc10", {k: FIVE[k] for k in ("fold2", "fold1")}, dataset="esc-10", root=Path("/nonexistent/c")
    )
    disjoint = bench("esc10", {"fold1": (["7"], ["8"])}, dataset="esc-10")
    assert [s.fold for s in planned(route(elsewhere, disjoint))[0]] == ["fold2"]


def merged(train: Sequence[str], *, synthetic: bool = False, **options: object) -> Bench:
    return bench(
        "merged",
        {"fold1": (train, ["dares-g1/other"])},
        dataset="dares-g1+esc-50",
        sources=("dares-g1", "esc-50"),
        root=Path("/nonexistent/joined"),
        synthetic=synthetic,
        **options,  # type: ignore[arg-type]
    )


def test_the_same_recording_under_two_names_is_refused() -> None:
    target = bench("esc10", {"fold1": (["1"], ["20", "30"])}, dataset="esc-10")
    way = route(merged(["esc-50/20", "dares-g1/30"]), target)
    message = (
        "1 recordings that merged is trained on are tested on in esc10 fold1, such as freesound 20; take another "
        "source, or leave the data set that they share out of it with --sources"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        planned(way)
    # A number of DARES-G1 is no number of Freesound, and what the target is trained on may be known.
    planned(route(merged(["esc-50/1", "dares-g1/30"]), target))
    # Numbers of synthetic datasets are made up.
    planned(
        route(
            merged(["esc-50/20"], synthetic=True), replace(target, dataset=replace(target.dataset, synthetic=True))
        )
    )


def test_clips_to_choose_on_count_as_seen() -> None:
    source, target = merged(["esc-50/1", "esc-50/2"]), bench("esc10", {"fold1": (["5"], ["2"])}, dataset="esc-10")
    (fold,) = source.folds
    held = replace(source, folds=(replace(fold, train=("esc-50/1",), validation=("esc-50/2",)),))
    with pytest.raises(ConfigError, match="such as freesound 2;"):
        planned(route(held, target))


def test_the_same_file_is_refused_whatever_its_name() -> None:
    source = bench("esc10", {"fold1": (["1"], ["2"])}, dataset="esc-10", digests={"1": "abc123"})
    other = {"root": Path("/nonexistent/b"), "dataset": "greatest-hits", "digests": {"y": "abc123"}}
    with pytest.raises(
        ConfigError, match=r"1 recordings .* tested on in greatest-hits random, such as sha256 abc123"
    ):
        planned(route(source, bench("greatest-hits", {"random": (["x"], ["y"])}, **other)))  # type: ignore[arg-type]
    planned(route(source, bench("greatest-hits", {"random": (["y"], ["x"])}, **other)))  # type: ignore[arg-type]


def test_only_the_folds_that_are_asked_for_can_leak() -> None:
    target = bench("esc10", {"fold1": (["1"], ["20"]), "fold2": (["20"], ["1"])}, dataset="esc-10")
    way = route(merged(["esc-50/20"]), target)
    assert len(planned(way, folds=("fold2",))[1]) == 1
    with pytest.raises(ConfigError, match="esc10 fold1"):
        planned(way)


def test_the_halves_of_esc_10_do_not_leak(tiny) -> None:
    halves = [tiny.bench(f"esc10-{half}", lambda fraction, text: None) for half in "ab"]
    assert halves[0].dataset.root == halves[1].dataset.root
    sources, targets = planned(route(*halves))
    assert [t.origin.spec.fold for t in targets if t.origin] == [s.fold for s in sources] == list(FIVE)
    # The whole of ESC-10 holds what is tested on in another fold, but not in the one of the same name.
    whole = tiny.bench("esc10", lambda fraction, text: None)
    assert len(planned(route(whole, halves[1]))[0]) == 5


def keys(specs: Sequence[RunSpec]) -> dict[tuple[str, str], str]:
    return {(str(s.variant), s.fold): s.key for s in specs}


def test_the_key_depends_on_the_run_that_it_starts_from() -> None:
    target = bench(
        "greatest-hits", {"random": (["x"], ["y"])}, dataset="greatest-hits", root=Path("/nonexistent/b")
    )
    first, second = (bench("esc10", {"fold1": (train, ["3"])}, dataset="esc-10") for train in (["1"], ["1", "2"]))
    before, after = (keys(planned(route(s, target), VARIANTS)[1]) for s in (first, second))
    assert set(before) == set(after) and len(before) == 4
    same = {name for name in before if before[name] == after[name]}
    assert {variant for variant, _ in same} == {"transfer[system=sb-cnn,variant=retrain]"}


def test_the_order_and_the_number_of_systems_move_no_key() -> None:
    halves = [bench(f"esc10-{half}", FIVE, dataset="esc-10") for half in "ab"]
    one, other = (keys(planned(route(*halves, s), VARIANTS)[1]) for s in ("sb-cnn,raw-cnn", "raw-cnn,sb-cnn"))
    assert one == other and len(set(one.values())) == 2 * 4 * 5
    assert keys(planned(route(*halves), ("svm",))[1]).items() <= one.items()


def test_the_numerics_of_the_system_that_is_transferred_count() -> None:
    halves = [bench(f"esc10-{half}", FIVE, dataset="esc-10") for half in "ab"]
    moved, inner = planned(route(*halves, "sb-cnn"))[1][0].parts["numerics"].values()  # type: ignore[misc]
    assert {"Transfer", "TransferredSystem"} <= set(moved["versions"]) and "SbCnn" in inner["versions"]
    assert "code" not in moved and "code" not in inner


def test_without_a_source_it_is_refused_with_the_verb_to_use() -> None:
    target = bench("esc10", {"fold1": (["1"], ["2"])}, dataset="esc-10")
    text = "transfer[system=sb-cnn],transfer[system=sb-cnn,variant=svm],transfer[system=sb-cnn,variant=retrain]"
    tuned, svm, fresh = plan(target, parse_variants(text), budget=Budget.SMOKE)
    sentence = "it starts from a trained network; `asc-bench transfer` finds or trains one"
    assert tuned.refusal == svm.refusal == sentence
    # From scratch on one label a clip it needs nothing.
    assert fresh.refusal is None and fresh.origin is None


def test_other_systems_are_refused_where_clips_have_several_labels() -> None:
    target = bench(
        "audioset-dcase2017",
        {"testing": (["1"], ["2"])},
        dataset="audioset-dcase2017",
        scenes=("Car|Train horn", "Bus"),
    )
    assert isinstance(target.task(target.folds[0]), MultiLabelTask)
    specs = plan(
        target, parse_variants("sb-cnn,logmel-svm,transfer[system=sb-cnn,variant=retrain]"), budget=Budget.SMOKE
    )
    sentence = "clips have several labels here; `asc-bench transfer` trains on them, also from scratch"
    assert [s.refusal for s in specs] == [sentence, sentence, None]


def test_a_system_that_cannot_be_taken_apart_is_refused_before_it_is_trained() -> None:
    halves = [bench(f"esc10-{half}", FIVE, dataset="esc-10") for half in "ab"]
    _, targets = planned(route(*halves, "logmel-svm"))
    assert {t.refusal for t in targets} == {"logmel-svm is no neural network; there is nothing to transfer"}


@pytest.mark.parametrize("failed", [False, True])
def test_a_transfer_from_a_run_that_is_not_there_is_a_failed_row(tmp_path: Path, tiny, failed: bool) -> None:
    halves = [tiny.bench(f"esc10-{half}", lambda fraction, text: None) for half in "ab"]
    (source,), (target,) = planned(route(*halves), folds=("fold2",))
    store = ResultsStore(tmp_path)
    if failed:
        publish(store, halves[0], source, error="the loss is not finite")
    settings = Settings(cache=tmp_path / "cache")
    run = run_once(target, halves[1], store, settings, lambda fraction, text: None)
    assert run is not None and not run.done
    state = "failed: the loss is not finite" if failed else "has not been run"
    assert run.manifest["error"] == {
        "type": "SystemFailure",
        "message": f"sb-cnn fold2 of esc10-a, which this starts from, {state}",
    }
    assert not (tmp_path / "cache").exists(), "no feature was computed for it"


def test_a_source_without_its_weights_is_a_failed_row(tmp_path: Path, tiny) -> None:
    halves = [tiny.bench(f"esc10-{half}", lambda fraction, text: None) for half in "ab"]
    (source,), (target,) = planned(route(*halves), folds=("fold2",))
    store = ResultsStore(tmp_path)
    stored = publish(store, bench("esc10-a", FIVE, dataset="esc-10"), source, error="first")
    assert not stored.done
    manifest = {**stored.manifest, "status": "done"}
    store.forget([source])
    store.publish(source, {k: v for k, v in manifest.items() if k not in ("digest", "error")})
    run = run_once(target, halves[1], store, Settings(cache=tmp_path / "cache"), lambda fraction, text: None)
    assert run is not None and "sb-cnn fold2 cannot be rebuilt: its weights were not kept" in str(
        run.manifest["error"]
    )
