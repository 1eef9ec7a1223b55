"""Teachers of a distillation: which runs they are, what they have seen, and what they say of the training clips."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asc_bench.api import FINE, Budget, Clips, ConfigError, LabelledClips, LabelSpace, MultiLabelTask
from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.examples import by_level, labelled, limited, unlabelled
from asc_bench.cli import batch
from asc_bench.experiment import Experiment
from asc_bench.registry import systems
from asc_bench.runs import distillation
from asc_bench.runs.fitted import given_clips, rebuilt
from asc_bench.runs.job import PackedBench, _refuse_other_numbers
from asc_bench.runs.parallel import Queue
from asc_bench.runs.plan import RunSpec, plan, why_not
from asc_bench.runs.settings import Settings, Workers
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.teachers import parts_of, refuse_leak
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import Work, compute, survey, with_members
from asc_bench.systems.base import Context, System
from asc_bench.systems.distilled import DistilledSystem
from asc_bench.training.precision import Decision
from tests.unit.test_fusion import Silent

SMALL = "dcase2022-baseline[plan.iterations={},plan.select=last,plan.validate_every=0]"
STUDENT = SMALL.format(2)
CHOOSY = "sb-cnn[plan.select=best,plan.validate_every=1]"
"""A student that chooses its weights on validation clips."""


def spec_of(bench: Bench, text: str, **options: object) -> RunSpec:
    (spec,) = plan(bench, parse_variants(text), budget=Budget.SMOKE, **options)  # type: ignore[arg-type]
    return spec


def distilled(teachers: str = "logmel-svm", student: str = STUDENT, **settings: object) -> str:
    return f"distilled[student={student},teachers={teachers}{''.join(f',{k}={v}' for k, v in settings.items())}]"


def test_a_teacher_in_sample_is_the_run_that_a_table_shows(bench: Bench) -> None:
    spec, alone = spec_of(bench, distilled()), spec_of(bench, "logmel-svm")
    (teacher,) = spec.teachers
    assert (teacher.key, teacher.folder) == (alone.key, alone.folder)
    assert teacher.keeps_weights and not alone.keeps_weights
    assert spec.parts["teachers"] == [["logmel-svm", "fold1", alone.key]]
    assert spec.seed == spec_of(bench, STUDENT).seed, "both begin with the same weights"
    listed = with_members([alone, spec])
    assert [str(s.variant) for s in listed] == ["logmel-svm", str(spec.variant)] and listed[0].keeps_weights
    queue = Queue(listed)
    assert list(queue.ready) == [listed[0]] and queue.left


def test_the_key_holds_the_teachers_settings_and_numerics(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spec_of(bench, distilled())
    keys = {before.key}
    for text in (
        distilled("logmel-svm[C=1.0]"),
        distilled(logits="cross-fitted"),
        distilled(logits="cross-fitted", cv=3),
        distilled(temperature=3),
    ):
        keys.add(spec_of(bench, text).key)
    monkeypatch.setattr(systems().get("logmel-svm"), "numerics_version", 1_000)
    for text in (distilled(), distilled(logits="cross-fitted")):
        keys.add(spec_of(bench, text).key)
    assert len(keys) == 7
    assert spec_of(bench, STUDENT).key == spec_of(bench, STUDENT).key not in keys


@pytest.mark.parametrize("student_chooses", [False, True])
@pytest.mark.parametrize("teacher_chooses", [False, True])
@pytest.mark.parametrize("selection", [Selection.OWN, Selection.HELD_OUT])
def test_no_teacher_has_seen_a_clip_that_it_predicts_or_one_that_is_tested(
    bench: Bench, student_chooses: bool, teacher_chooses: bool, selection: Selection
) -> None:
    (fold,) = bench.folds
    taught = limited(fold, bench.rows, student_chooses, selection).train
    parts = parts_of(bench, fold, 3, student_chooses, teacher_chooses, selection)
    assert sorted(clip for part in parts for clip in part.test) == sorted(taught), "each clip is predicted once"
    for part in parts:
        used = limited(part, bench.rows, teacher_chooses, selection)
        for ids in (used.train, used.validation):
            assert not set(ids) & {*part.test, *fold.test}
            places = set(bench.column("location", part.test))
            assert ids is used.validation or not places & set(bench.column("location", ids))
        assert not set(used.train) & set(used.validation)
        assert bool(used.validation) == teacher_chooses
        if student_chooses or selection is Selection.HELD_OUT:
            assert not set(used.train) & set(fold.validation)
        assert set(bench.column("scene", part.test)) <= set(bench.column("scene", used.train))


def test_parts_lie_in_a_folder_of_their_own_and_may_be_planned_elsewhere(bench: Bench) -> None:
    spec = spec_of(bench, distilled(logits="cross-fitted", cv=2))
    assert [t.fold for t in spec.teachers] == ["fold1-part1of2", "fold1-part2of2"]
    assert {t.folder.partition("/")[0] for t in spec.teachers} == {"cross-fitted-dcase2018-synthetic-tiny"}
    for teacher in spec.teachers:
        there = teacher.bench_in(PackedBench.of(bench).bench)
        again = spec_of(there, "logmel-svm", folds=[teacher.fold])
        assert again.key == teacher.key
        _refuse_other_numbers(teacher, bench)
    _refuse_other_numbers(spec, bench)
    student = spec_of(bench, distilled(student="raw-cnn", logits="cross-fitted", cv=2))
    assert [t.key for t in student.teachers] == [t.key for t in spec.teachers], "another student shares them"


def test_a_teacher_that_trains_on_the_students_validation_clips_is_refused(bench: Bench) -> None:
    text = distilled(student=CHOOSY)
    refused = spec_of(bench, text)
    assert f"its teacher logmel-svm: it is trained on {len(bench.folds[0].validation)} validation clips" in str(
        refused.refusal
    )
    assert not refused.teachers and with_members([refused]) == [refused]
    assert spec_of(bench, text, selection=Selection.HELD_OUT).refusal is None
    assert spec_of(bench, distilled(student=CHOOSY, logits="cross-fitted", cv=3)).refusal is None
    assert spec_of(bench, distilled("sb-cnn[plan.select=best,plan.validate_every=2]", CHOOSY)).refusal is None


def test_leaks_are_named() -> None:
    refuse_leak(["a", "b"], unseen={"test": ["c"], "validation": ()})
    with pytest.raises(ConfigError, match="it is trained on 2 test clips of the student, such as b"):
        refuse_leak(["a", "b", "c"], unseen={"test": ["c", "b"]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (distilled("fusion[members=sb-cnn+raw-cnn]"), "name its members as teachers.*teachers=raw-cnn.sb-cnn"),
        (distilled(distilled("raw-cnn")), "it has teachers of its own"),
        (distilled("transfer[system=sb-cnn,source=x]"), "its weights cannot be stored.*use logits=cross-fitted"),
        (distilled("transfer[system=sb-cnn,source=x]", logits="cross-fitted", cv=2), "it starts from a trained"),
        (distilled("vggish-svm"), "its teacher vggish-svm: no weights here"),
        (distilled("sb-cnn[augment=mixup]"), ""),
        (distilled(student="logmel-svm"), "logmel-svm is no neural network"),
        (
            distilled(logits="cross-fitted", cv=31),
            "cv is 31, but the training clips are of .* most 9 of one scene",
        ),
    ],
)
def test_what_cannot_teach_is_said_before_anything_runs(bench: Bench, text: str, reason: str) -> None:
    refusal = spec_of(bench, text).refusal
    assert refusal is None if not reason else re.search(reason, str(refusal))


def test_scenes_of_one_location_cannot_be_left_out(bench: Bench) -> None:
    (fold,) = bench.folds
    clips = bench.clips.assign(location=bench.clips["scene"])
    with pytest.raises(ConfigError, match=r"without part 1 of 2 no training clip of .* is left"):
        parts_of(replace(bench, clips=clips), fold, 2, False, False, Selection.OWN)


def test_weights_of_unknown_origin_are_refused_or_noted(bench: Bench, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"whatever")
    teacher = f"caa-net[weights={weights}]"
    assert "it reads weights.pt, and whether that was trained on test clips of fold1 is not known here" in str(
        spec_of(bench, distilled(teacher)).refusal
    )
    allowed = spec_of(bench, distilled(teacher, external_weights="allow"))
    assert allowed.refusal is None and allowed.teachers[0].external == ("weights.pt",)


def test_what_does_not_go_with_distillation(bench: Bench) -> None:
    assert "leave out --as-published" in str(spec_of(bench, distilled(), selection=Selection.TEST).refusal)
    copies = Augmentation.parse("1")
    assert "deformed copies" in str(spec_of(bench, distilled(), augmentation=copies).refusal)
    (variant,) = parse_variants(distilled())
    several = MultiLabelTask(LabelSpace(("a", "b", "c")), (), 10.0)
    reason = why_not(variant.build(several, Budget.SMOKE))
    assert reason is not None and "several labels" in reason.text


def test_a_typo_in_a_teacher_is_answered_at_once(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="did you mean 'logmel-svm'"):
        spec_of(bench, distilled("logmel-swm"))
    with pytest.raises(ConfigError, match=r"teachers=logmel-\* stands for 2 systems"):
        spec_of(bench, distilled("logmel-*"))


def run(bench: Bench, text: str, results: Path, cache: Path, **options: object) -> tuple[Work, ResultsStore]:
    store, settings = ResultsStore(results), Settings(cache, precision=Decision("float32", "for the test"))
    specs = plan(bench, parse_variants(text), budget=Budget.SMOKE, **options)  # type: ignore[arg-type]
    work = compute(survey(specs, bench, store, settings), store, settings, Workers(), Silent())
    failed = [r.manifest["error"] for r in work.runs if not r.done]
    assert not failed
    return work, store


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[LabelledClips]:
    """What students are trained on."""
    seen: list[LabelledClips] = []
    fit = DistilledSystem.fit

    def watched(self: DistilledSystem, train: LabelledClips, *rest: object) -> None:
        seen.append(train)
        fit(self, train, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(DistilledSystem, "fit", watched)
    return seen


def log_fine(system: System, clips: Clips) -> np.ndarray:
    return np.log(by_level(system.predict(clips), system.task.labels)[FINE])


def centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def test_students_are_given_what_the_stored_teachers_predict(
    bench: Bench, cache: Path, tmp_path: Path, given: list[LabelledClips], monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    own = tmp_path / "cache"  # features are shared, what teachers say is not
    own.mkdir()
    (own / "features").symlink_to(cache / "features")
    (cache / "features").mkdir(exist_ok=True)
    pair = f"{SMALL.format(3)}+logmel-svm"
    before, store = run(bench, "logmel-svm", tmp_path / "results", own)
    assert before.runs[0].weights is None
    work, _ = run(
        bench, f"{distilled(pair)},{distilled(pair, label_weight=1)},{STUDENT}", tmp_path / "results", own
    )
    assert len(work.wanted) == 5, "teachers once each"
    taught, unheard = (work.stored[spec.key] for spec in work.specs[:2])

    (fold,) = bench.folds
    ids = limited(fold, bench.rows, False).train
    expected = []
    for teacher in work.specs[0].teachers:
        stored = store.load(teacher)
        assert stored is not None and stored.weights is not None, "made again for its weights"
        system = rebuilt(stored, bench)
        expected.append(log_fine(system, given_clips(bench, ids, system, Settings(own))))
    np.testing.assert_allclose(centred(given[0].teacher_logits), centred(np.mean(expected, axis=0)), atol=2e-5)
    assert len(given[0]) == len(ids) == 90

    about = taught.manifest["teachers"]
    assert (about["logits"], list(about["systems"])) == ("in-sample", pair.split("+"))
    assert about["systems"]["logmel-svm"]["n_parameters"] == before.runs[0].manifest["n_parameters"]
    alone = work.stored[work.specs[2].key]
    assert taught.manifest["n_parameters"] == alone.manifest["n_parameters"]
    fine = [np.stack(r.predictions.query("level == 'fine'")["probabilities"]) for r in (unheard, alone, taught)]
    np.testing.assert_array_equal(fine[0], fine[1])
    assert np.abs(fine[2] - fine[1]).max() > 0

    # Nothing is predicted twice, unless what was kept is damaged.
    def refuse(*_: object) -> None:
        raise AssertionError("predicted again")

    with monkeypatch.context() as patch:
        patch.setattr(distillation, "_predicted", refuse)
        run(bench, distilled(pair, temperature=4), tmp_path / "results", own)
    np.testing.assert_array_equal(given[-1].teacher_logits, given[0].teacher_logits)
    next((own / "teachers").glob("*/features.npy")).write_bytes(b"rot")
    run(bench, distilled(pair, temperature=8), tmp_path / "results", own)
    assert "is damaged" in caplog.text
    np.testing.assert_array_equal(given[-1].teacher_logits, given[0].teacher_logits)


def test_cross_fitted_logits_are_those_of_a_teacher_trained_by_hand_without_the_clip(
    bench: Bench, cache: Path, tmp_path: Path, given: list[LabelledClips]
) -> None:
    work, _ = run(bench, distilled(logits="cross-fitted", cv=2), tmp_path, cache)
    (spec,) = work.specs
    (fold,) = bench.folds
    ids = limited(fold, bench.rows, False).train
    row = {clip: i for i, clip in enumerate(ids)}
    (variant,) = parse_variants("logmel-svm")
    for teacher in spec.teachers:
        assert teacher.part is not None
        system = variant.build(bench.task(fold), Budget.SMOKE)
        array = bench.features(system.front_end(), cache=cache).array
        folder = tmp_path / teacher.fold
        folder.mkdir()
        system.fit(
            labelled(bench, teacher.part.train, array, system), None, Context(seed=teacher.seed, folder=folder)
        )
        expected = log_fine(system, unlabelled(bench, teacher.part.test, array, system))
        found = given[0].teacher_logits[[row[clip] for clip in teacher.part.test]]
        np.testing.assert_allclose(centred(found), centred(expected), atol=2e-5)
    about = work.runs[0].manifest["teachers"]
    assert (about["logits"], about["n_parts"]) == ("cross-fitted", 2)
    assert about["systems"]["logmel-svm"]["n_trainings"] == 2
    assert work.summary().startswith(
        "dcase2018 on tut-urban-2018-mobile (SYNTHETIC dataset): 2 systems, 1 fold, 3 r"
    )


def test_a_teacher_that_failed_fails_its_student_and_is_named(bench: Bench, cache: Path, tmp_path: Path) -> None:
    store, settings = ResultsStore(tmp_path), Settings(cache)
    work = survey(plan(bench, parse_variants(distilled()), budget=Budget.SMOKE), bench, store, settings)
    alone = replace(work, todo=work.specs)
    done = compute(alone, store, settings, Workers(), Silent())
    assert "its teacher logmel-svm fold1 has not been run" in done.runs[0].manifest["error"]["message"]


def test_a_teacher_without_scenes_cannot_teach(bench: Bench) -> None:
    spec = spec_of(bench, "logmel-svm")
    with pytest.raises(Exception, match="logmel-svm fold1 predicts coarse and no scenes"):
        distillation._fine({"coarse": np.zeros((1, 2), np.float32)}, spec)
    assert distillation._fine({FINE: np.ones((1, 2), np.float32)}, spec).shape == (1, 2)


def test_students_wait_for_their_teachers_on_a_cluster(
    bench: Bench, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    file, said = tmp_path / "slurm.toml", []
    file.write_text("time = 5\n", encoding="utf-8")
    monkeypatch.setattr(batch, "echo", lambda text: None)
    experiment = Experiment.of(budget="smoke", cache=cache, results=tmp_path / "results")

    def would_submit() -> str:
        work = experiment.survey(bench, experiment.plan(bench, parse_variants(distilled())))
        batch.submit(experiment, Saying(said), work, file, dry_run=True)  # type: ignore[arg-type]
        return said[-1]

    assert would_submit() == "1 run would be submitted in 1 job"
    monkeypatch.setattr(batch, "_done", lambda work, key: True)
    assert would_submit() == "2 runs would be submitted in 2 jobs"


class Saying:
    """A screen of which the lines are looked at."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def say(self, text: str) -> None:
        self.said.append(text)
