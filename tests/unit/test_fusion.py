"""Late fusion: the rules against hand-worked cases, and what a fusion's runs depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gmean

from asc_bench.api import FINE, Budget, ConfigError, LabelSpace, SystemFailure, Task
from asc_bench.bench.bench import Bench, Selection
from asc_bench.registry import systems
from asc_bench.runs.fusion import fusions
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.settings import Settings, Workers
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import compute, survey, with_members
from asc_bench.systems.fused import COMBINE, FusedSystem

PAIR = "logmel-svm+logmel-svm[C=1.0]"
TASK = Task(LabelSpace(fine=("a", "b", "c")), (), 5.0)


def fusion(text: str) -> FusedSystem:
    (variant,) = parse_variants(text)
    system = variant.build(TASK, Budget.SMOKE)
    assert isinstance(system, FusedSystem)
    return system


def distributions(seed: int, n: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet((0.5, 0.5, 0.5), size=n).astype(np.float32)


def test_rules_by_hand() -> None:
    given = np.array([[[0.6, 0.3, 0.1]], [[0.2, 0.2, 0.6]]])
    np.testing.assert_allclose(COMBINE["mean"](given), [[0.4, 0.25, 0.35]])
    roots = np.sqrt([0.12, 0.06, 0.06])
    np.testing.assert_allclose(COMBINE["product"](given), [roots / roots.sum()])
    # Points: 2, 1, 0 of the first; the second gives 0.5 to each of the two equal ones, and 2.
    np.testing.assert_allclose(COMBINE["rank"](given), [[2.5 / 6, 1.5 / 6, 2 / 6]])


def test_product_is_the_geometric_mean_and_no_member_rules_a_class_out() -> None:
    given = np.stack([distributions(1), distributions(2), distributions(3)]).astype(np.float64) + 1e-3
    expected = gmean(given, axis=0)
    np.testing.assert_allclose(COMBINE["product"](given), expected / expected.sum(axis=1, keepdims=True))
    certain = COMBINE["product"](np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]]))
    np.testing.assert_allclose(certain[0, 0], certain[0, 1])
    assert np.isfinite(certain).all()


def test_stacking_trusts_the_better_member_and_does_no_worse_than_it() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, size=600)
    good = np.full((600, 3), 0.1, dtype=np.float32)
    good[np.arange(600), truth] = 0.8
    wrong = rng.random(600) < 0.2
    good[wrong] = np.roll(good[wrong], 1, axis=1)
    noise = distributions(5, 600)
    system = fusion("fusion[members=sb-cnn+sample-cnn,rule=stacking]")
    members = [{FINE: noise}, {FINE: good}]
    weights = system.weights([{FINE: m[FINE][:300]} for m in members], {FINE: truth[:300]})
    scales, _ = weights[FINE]
    assert abs(scales[0]) < 0.1 * scales[1]
    fused = system.combine([{FINE: m[FINE][300:]} for m in members], weights)[FINE]
    assert (fused.argmax(1) == truth[300:]).mean() >= (good[300:].argmax(1) == truth[300:]).mean()


def test_levels_that_one_member_lacks_are_not_fused() -> None:
    system = fusion("fusion[members=sb-cnn+sample-cnn]")
    one, other = distributions(1), distributions(2)
    found = system.combine([{"coarse": one[:, :2], FINE: one}, {FINE: other}], {})
    assert list(found) == [FINE]
    np.testing.assert_allclose(found[FINE], (one + other) / 2, rtol=1e-6)
    with pytest.raises(SystemFailure, match="no common label level"):
        system.combine([{"coarse": one}, {FINE: other}], {})


@pytest.mark.parametrize("members", ["", "sb-cnn", "sb-cnn+sb-cnn"])
def test_two_members_are_needed(members: str) -> None:
    with pytest.raises(ConfigError, match="two different systems"):
        parse_variants(f"fusion[members={members}]")


def test_members_may_have_settings_and_their_order_does_not_matter() -> None:
    text = "fusion[members=caa-net[training=multi-task,pooling=max]+sb-cnn,rule=product]"
    (one,), (other,) = (
        parse_variants(text),
        parse_variants("fusion[rule=product,members=sb-cnn+caa-net[training=multi-task,pooling=max]]"),
    )
    assert str(one) == str(other)
    assert parse_variants(str(one)) == [one]
    assert fusion(text).members == ("caa-net[training=multi-task,pooling=max]", "sb-cnn")


def test_all_leaves_out_the_fusion_that_names_no_members() -> None:
    names = {variant.name for variant in parse_variants("all")}
    assert "fusion" not in names and {"cnn-ensemble", "proposed1", "logmel-svm"} <= names


def test_a_typo_in_a_member_is_answered_before_anything_runs(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="did you mean 'logmel-svm'"):
        plan(bench, parse_variants("fusion[members=logmel-svm+logmel-swm]"), budget=Budget.SMOKE)


def spec_of(bench: Bench, text: str, **options: object) -> RunSpec:
    (spec,) = plan(bench, parse_variants(text), budget=Budget.SMOKE, **options)  # type: ignore[arg-type]
    return spec


def test_a_fusion_of_fusions_runs_every_member_once_and_first(bench: Bench) -> None:
    specs = with_members(
        [spec_of(bench, "proposed1"), spec_of(bench, "cnn-ensemble"), spec_of(bench, "hierarchical-cnn")]
    )
    names = [str(spec.variant) for spec in specs]
    assert len(names) == len(set(names)) == 12
    assert names.index("cnn-ensemble") > max(i for i, n in enumerate(names) if n.startswith("cnn-ensemble-member"))
    assert names.index("proposed1") > max(names.index("cnn-ensemble"), names.index("hierarchical-cnn"))


def test_the_key_holds_the_keys_of_the_members(bench: Bench) -> None:
    one = spec_of(bench, f"fusion[members={PAIR}]")
    (first, second) = one.members
    assert one.parts["members"] == {str(first.variant): first.key, str(second.variant): second.key}
    assert one.key != spec_of(bench, f"fusion[members={PAIR},rule=rank]").key
    assert one.key != spec_of(bench, f"fusion[members={PAIR}]", selection=Selection.HELD_OUT).key


def test_stacking_wants_validation_predictions_of_every_member(bench: Bench) -> None:
    text = f"fusion[members={PAIR},rule=stacking]"
    assert "use --hold-out" in str(spec_of(bench, text).refusal)
    assert "use --hold-out" in str(spec_of(bench, text, selection=Selection.TEST).refusal)
    assert spec_of(bench, text, selection=Selection.HELD_OUT).refusal is None
    nested = f"fusion[members=logmel-svm-one-device+{text},rule=stacking]"
    assert "leaves none here" in str(spec_of(bench, nested, selection=Selection.HELD_OUT).refusal)


def test_a_fusion_refuses_what_a_member_refuses(bench: Bench) -> None:
    spec = spec_of(replace(bench), "fusion[members=logmel-svm+hierarchical-cnn[labels=coarse]]")
    alone = spec_of(bench, "hierarchical-cnn[labels=coarse]")
    assert (spec.refusal is None) == (alone.refusal is None)


def run(bench: Bench, text: str, tmp_path: Path, cache: Path, selection: Selection = Selection.OWN) -> tuple:
    store, settings = ResultsStore(tmp_path), Settings(cache=cache)
    specs = plan(bench, parse_variants(text), budget=Budget.SMOKE, selection=selection)
    work = survey(specs, bench, store, settings)
    return compute(work, store, settings, Workers(), Silent()), store


class Silent:
    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        pass

    def finished(self, spec: RunSpec, run: object) -> None:
        pass

    def say(self, text: str) -> None:
        pass


def test_stored_probabilities_are_the_mean_of_the_members(bench: Bench, cache: Path, tmp_path: Path) -> None:
    text = f"fusion[members={PAIR}]"
    work, _ = run(bench, f"{text},logmel-svm,logmel-svm[C=1.0]", tmp_path, cache, Selection.HELD_OUT)
    found = {str(r.manifest["variant"]): r for r in work.runs}
    assert len(found) == 3 and all(r.done for r in work.runs)
    for split in ("test", "validation"):
        parts = [
            np.stack(r.predictions[r.predictions["split"] == split].sort_values("clip_id")["probabilities"])
            for r in (found["logmel-svm"], found["logmel-svm[C=1.0]"], found[text])
        ]
        np.testing.assert_allclose(parts[2], (parts[0] + parts[1]) / 2, atol=1e-6)
    manifest = found[text].manifest
    fits = [found[name].manifest["durations_s"]["fit"] for name in ("logmel-svm", "logmel-svm[C=1.0]")]
    assert manifest["durations_s"]["fit"] == pytest.approx(sum(fits), abs=1e-3)
    again, _ = run(bench, text, tmp_path, cache, Selection.HELD_OUT)
    assert not again.todo and again.runs[0].manifest["digest"] == manifest["digest"]


def test_stacking_never_sees_test_labels_and_leaves_no_validation_predictions(
    bench: Bench, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = bench.folds[0]
    seen: dict = {}
    cls = systems().get("fusion")
    original = cls.weights  # type: ignore[attr-defined]

    def watched(self: FusedSystem, validation: list, truth: dict) -> dict:
        seen["probabilities"], seen["truth"] = [levels[FINE] for levels in validation], truth[FINE]
        return original(self, validation, truth)

    monkeypatch.setattr(cls, "weights", watched)
    text = f"fusion[members={PAIR},rule=stacking]"
    work, store = run(bench, text, tmp_path, cache, Selection.HELD_OUT)
    (stored,) = work.runs
    assert stored.done
    members = [store.load(member) for member in spec_of(bench, text, selection=Selection.HELD_OUT).members]
    for member, given in zip(members, seen["probabilities"], strict=True):
        assert member is not None
        rows = member.predictions[member.predictions["split"] == "validation"].set_index("clip_id")
        np.testing.assert_array_equal(given, np.stack(rows.loc[list(fold.validation), "probabilities"]))
        assert bench.protocol.labels.encode(rows.loc[list(fold.validation), "label"]).tolist() == list(
            seen["truth"]
        )
    assert set(stored.predictions["split"]) == {"test"}
    assert set(stored.manifest["weights"][FINE]) == {"logmel-svm", "logmel-svm[C=1.0]"}


def test_a_failed_member_fails_the_fusion_and_says_which(bench: Bench, cache: Path, tmp_path: Path) -> None:
    _, store = run(bench, "logmel-svm", tmp_path, cache)
    text = f"fusion[members={PAIR}]"
    specs = plan(bench, parse_variants(text), budget=Budget.SMOKE)
    survey_of = survey(specs, bench, store, Settings(cache=cache))
    only_fusion = replace(survey_of, todo=tuple(s for s in survey_of.todo if s.members))
    done = compute(only_fusion, store, Settings(cache=cache), Workers(), Silent())
    error = done.runs[0].manifest["error"]["message"]
    assert "logmel-svm[C=1.0] fold1 has not been run" in error


def test_names_on_the_command_line() -> None:
    assert [str(v) for v in fusions(["sb-cnn", "logmel-svm[C=1.0]"], ["mean", "rank"])] == [
        "fusion[members=logmel-svm[C=1.0]+sb-cnn]",
        "fusion[rule=rank,members=logmel-svm[C=1.0]+sb-cnn]",
    ]
    assert [str(v) for v in fusions(["proposed2"], ["mean"])] == ["proposed2"]
    with pytest.raises(ConfigError, match="alone is no fusion"):
        fusions(["logmel-svm"], ["mean"])
    with pytest.raises(ConfigError, match="rule is 'avg', but must be one of mean, product, rank, stacking"):
        fusions(["logmel-svm", "sb-cnn"], ["avg"])
