"""``augment=`` and ``plan.FIELD=``: reading, canonical writing, what they do to a plan, and what is refused."""

from __future__ import annotations

import pickle
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from asc_bench.api import (
    Budget,
    ConfigError,
    Cosine,
    Crop,
    DeviceResponse,
    FreqMixStyle,
    Mixup,
    SpecAugment,
    TimeRoll,
    TorchSystem,
    TrainingPlan,
)
from asc_bench.bench import keys
from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import labelled
from asc_bench.runs.describe import describe
from asc_bench.runs.plan import plan
from asc_bench.runs.variant import Named, parse_variants, variant_of
from asc_bench.training.plan_changes import PlanChanges
from asc_bench.training.transforms.table import TRANSFORMS
from asc_bench.typed_text import default_of, split_items, to_text
from tests.unit.small_sets import task

OWN = TrainingPlan(batch_size=8, epochs=6, validate_every=2)


def changes(text: str) -> PlanChanges:
    (variant,) = parse_variants(f"sb-cnn[{text}]")
    return variant.changes


def changed_plan(text: str, budget: Budget = Budget.SMOKE) -> TrainingPlan:
    (variant,) = parse_variants(text)
    system = variant.build(task(3), budget)
    assert isinstance(system, TorchSystem)
    return system.training_plan()


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("plan.patience=5, bn=true ,augment= roll + mixup(0.3)", "bn=true,augment=roll+mixup,plan.patience=5"),
        ("augment=mixup(alpha = 0.2)", "augment=mixup(alpha=0.2)"),
        ("augment=freq-mixstyle(0.8,0.4,share=batch)", "augment=freq-mixstyle(p=0.8,alpha=0.4,share=batch)"),
        ("augment=simulated-response(devices=A+B)+gain", "augment=simulated-response(devices=A+B)+gain"),
        ("augment=none", "augment=none"),
        ("plan.epochs=5,plan.batch_size=4", "plan.batch_size=4,plan.epochs=5"),
        ("plan.patience=None", "plan.patience=none"),
        ("plan.schedule=cosine(0.1),plan.crop=none", "plan.schedule=cosine(warmup=0.1),plan.crop=none"),
        ("plan.crop=crop(64,n_test=2)", "plan.crop=crop(length=64,n_test=2)"),
        ("plan.nesterov=TRUE", "plan.nesterov=true"),
    ],
)
def test_texts_are_read_and_written_canonically(typed: str, canonical: str) -> None:
    (variant,) = parse_variants(f"sb-cnn[{typed}]")
    assert str(variant) == f"sb-cnn[{canonical}]"
    assert parse_variants(str(variant)) == [variant] == [pickle.loads(pickle.dumps(variant))]


def test_values_are_of_the_types_of_the_fields() -> None:
    found = changes(
        "augment=specaugment(frequency=0.1,n_time=2,value=-3)+roll,plan.learning_rate=1,plan.crop=crop(9,3)"
    )
    assert dict(found.values) == {
        "augment": (SpecAugment(frequency=0.1, n_time=2, value=-3.0), TimeRoll()),
        "learning_rate": 1.0,
        "crop": Crop(length=9, test_hop=3),
    }


def test_bars_make_a_grid() -> None:
    names = [str(v) for v in parse_variants("sb-cnn[augment=none|mixup|mixup+roll,plan.batch_size=4|8]")]
    assert len(names) == 6
    assert names[:3] == [
        "sb-cnn[augment=none,plan.batch_size=4]",
        "sb-cnn[augment=none,plan.batch_size=8]",
        "sb-cnn[augment=mixup,plan.batch_size=4]",
    ]


def test_python_values_give_the_same_variants() -> None:
    (typed,) = parse_variants("sb-cnn[augment=mixup(0.2)+roll,plan.patience=5,plan.schedule=cosine]")
    values = {"plan.patience": 5, "plan.schedule": Cosine()}
    assert variant_of("sb-cnn", augment=[Mixup(0.2), TimeRoll()], **values) == typed
    assert variant_of("sb-cnn", augment="mixup(0.2)+roll", plan={"patience": 5, "schedule": Cosine()}) == typed
    assert variant_of(variant_of("sb-cnn", augment=Mixup(0.2), **values), augment="mixup(0.2)+roll") == typed
    built = typed.build(task(3), Budget.SMOKE)
    assert variant_of(built) == typed
    with pytest.raises(ConfigError, match="a training plan has no 'patiense'; did you mean"):
        variant_of("sb-cnn", plan={"patiense": 5})


@pytest.mark.parametrize("budget", list(Budget))
def test_a_plan_is_changed_in_the_named_fields_alone(budget: Budget) -> None:
    own = changed_plan("sb-cnn", budget)
    found = changed_plan("sb-cnn[augment=mixup,plan.learning_rate=0.5]", budget)
    assert found == replace(own, augment=(Mixup(),), learning_rate=0.5)


def test_the_list_takes_the_place_of_the_systems_own() -> None:
    own = changed_plan("dcase2024-baseline").augment
    assert [t.name for t in own] == ["specaugment", "roll", "freq-mixstyle"]
    assert changed_plan("dcase2024-baseline[augment=freq-mixstyle]").augment == (FreqMixStyle(),)
    assert changed_plan("dcase2024-baseline[augment=none]").augment == ()


def test_epochs_take_the_place_of_iterations_and_the_other_way() -> None:
    assert changes("plan.iterations=7,plan.validate_every=3").apply(OWN) == replace(
        OWN, epochs=None, iterations=7, validate_every=3
    )
    assert changes("plan.epochs=7").apply(OWN).epochs == 7
    with pytest.raises(ConfigError, match=r"every 2 epochs, and is now counted in iterations; give plan\.validate"):
        changes("plan.iterations=7").apply(OWN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sb-cnn[augment=mixpu]", "augment: there is no 'mixpu'; did you mean 'mixup'"),
        ("sb-cnn[augment=mixup(alfa=1)]", "mixup has no parameter 'alfa'; did you mean 'alpha'"),
        ("sb-cnn[augment=mixup(x)]", "augment: mixup: alpha is 'x', which is not a number"),
        ("sb-cnn[augment=mixup(0.1,0.2)]", r"'mixup\(0.1,0.2\)' has more values than mixup has parameters \(1\)"),
        ("sb-cnn[augment=mixup(0.1,alpha=0.2)]", "mixup: parameter 'alpha' is given twice"),
        ("sb-cnn[augment=mixup(0.1)x]", "does not end with its closing parenthesis"),
        ("sb-cnn[augment=mixup(]", r"lacks a closing parenthesis before '\]'"),
        ("sb-cnn[augment=mixup(alpha=0.3]", r"lacks a closing parenthesis before '\]'"),
        ("sb-cnn[augment=mixup+none]", "'none' stands for no augmentation, and alone"),
        ("sb-cnn[augment=mixup+mixup(0.1)]", "name transforms once each, or none"),
        ("sb-cnn[augment=]", "augment is ''; name transforms once each"),
        ("sb-cnn[augment=gain(-1)]", "gain: db is -1.0, must be a number above 0"),
        ("sb-cnn[plan.patiense=5]", "a training plan has no 'patiense'; did you mean 'plan.patience'"),
        ("sb-cnn[plan.augment=mixup]", "a training plan has no 'augment'; did you mean 'augment'"),
        ("sb-cnn[patience=5]", "has no parameter 'patience'; did you mean 'plan.patience'"),
        ("sb-cnn[plan.patience=many]", r"plan\.patience is 'many', which is not a whole number"),
        ("sb-cnn[plan.optimiser=adm]", r"plan\.optimiser is 'adm', but must be one of adam, adamw, sgd"),
        ("sb-cnn[plan.schedule=cosin]", "there is no 'cosin'; did you mean 'cosine'"),
        ("sb-cnn[plan.schedule=linear]", r"linear needs start, as in linear\(start=...\)"),
        ("sb-cnn[plan.crop=crop(length=9)]", "a crop needs either test_hop or n_test"),
        ("sb-cnn[plan.epochs=1,plan.epochs=2]", r"parameter 'plan\.epochs' is given twice"),
        ("logmel-svm[augment=mixup]", "logmel-svm has no training plan that augment could change; neural systems"),
        ("transfer[system=sb-cnn,plan.epochs=2]", r"as in system=NAME\[plan\.epochs=...\]"),
    ],
)
def test_what_is_refused_as_it_is_typed(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sb-cnn[augment=device-response(folder=/nowhere)]", "device-response: there is no WAV file in the folder"),
        ("sb-cnn[augment=simulated-response]", "the network reads features of LogMel, which are computed before"),
        ("sample-cnn[augment=specaugment]", "specaugment: needs frames of frequency bands"),
        ("mla[augment=roll]", "these are features of VggishExamples"),
        ("caa-net[training=multi-task,augment=mixup]", "a system that uses the device cannot be trained with it"),
        ("sample-cnn[augment=simulated-response(devices=S1)]", "no training clip was recorded with a device 'S1'"),
        ("sb-cnn[plan.batch_size=0]", "plan.batch_size=0: training plan: batch_size must be positive, got 0"),
        ("raw-cnn[plan.momentum=0.9]", "momentum and nesterov belong to sgd, not to adam"),
        ("cnn-ivector[part=ivector,plan.epochs=2]", "part=ivector trains no network"),
    ],
)
def test_what_does_not_suit_a_system_is_told_without_data(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot run on dcase2018: .*{message}"):
        describe(text)


def test_what_a_network_reads_counts_not_all_that_its_system_reads() -> None:
    assert describe("cnn-ivector[augment=specaugment+roll]").reason is None


def test_changes_reach_the_networks_inside_other_systems(tmp_path: Path) -> None:
    (variant,) = parse_variants("transfer[system=sb-cnn[plan.batch_size=3],variant=retrain]")
    assert variant.build(task(3), Budget.SMOKE).inner.training_plan().batch_size == 3
    (variant,) = parse_variants("caa-net[training=single-device,plan.batch_size=3]")
    system = variant.build(task(3, devices=("A", "B")), Budget.SMOKE)
    assert system._of_one_device().training_plan().batch_size == 3


def run_of(bench: Bench, text: str):
    (spec,) = plan(bench, parse_variants(text), budget=Budget.SMOKE)
    return spec


def test_changes_are_a_part_of_name_key_and_refusal(bench: Bench) -> None:
    own, changed = (run_of(bench, text) for text in ("sb-cnn", "sb-cnn[augment=roll]"))
    assert own.key != changed.key and changed.parts["variant"] == "sb-cnn[augment=roll]"
    assert changed.parts["numerics"] == own.parts["numerics"], "keys of old runs stand"
    impossible = run_of(bench, "sb-cnn[plan.patience=5]")
    assert impossible.refusal.startswith("plan.patience=5: training plan: best weights, patience and plateau need")
    endless = run_of(bench, "sb-cnn[plan.crop=crop(100000,n_test=2)]")
    assert endless.refusal == (
        "plan.crop: excerpts of 100000 frames, from clips of 431: at most 20 times as long, since shorter clips "
        "are repeated to fill them"
    )
    possible = run_of(bench, "sb-cnn[plan.patience=5,plan.validate_every=1]")
    assert possible.refusal is None and possible.has_validation and not own.has_validation


def test_a_transforms_version_and_files_are_a_part_of_the_key(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"sample-cnn[augment=device-response(folder={tmp_path})]"
    (tmp_path / "one.wav").write_bytes(b"1")
    before = run_of(bench, text)
    assert before.refusal is None
    (tmp_path / "one.wav").write_bytes(b"2")
    assert keys.changed_parts(before.parts, run_of(bench, text).parts) == ["files"]
    monkeypatch.setattr(DeviceResponse, "numerics_version", 2)
    moved = run_of(bench, text)
    assert moved.parts["numerics"]["SampleCnn"]["versions"]["device-response"] == 2


def test_names_of_devices_are_given_to_transforms_alone(bench: Bench) -> None:
    fold = bench.folds[0]
    array = np.zeros((len(bench.clips), 3), dtype=np.float32)
    for text, given in (("simulated-response", True), ("simulated-response(devices=all)", False), ("gain", False)):
        (variant,) = parse_variants(f"sample-cnn[augment={text}]")
        clips = labelled(bench, fold.train, array, variant.build(bench.task(fold), Budget.SMOKE))
        assert clips.device is None
        assert (clips.device_names is not None) == given
        if clips.device_names is not None:
            assert clips.device_names.tolist() == bench.column("device", fold.train).tolist()
            some = np.arange(len(clips)) % 2 == 0
            assert clips.where(some).device_names.tolist() == clips.device_names[some].tolist()


def test_lists_are_split_outside_brackets() -> None:
    assert split_items("a(b,c), d[e,f(g,h)] ,,i") == ["a(b,c)", "d[e,f(g,h)]", "i"]
    assert split_items("a+b(c+d)", "+") == ["a", "b(c+d)"]
    for text, message in (("a)", "closing parenthesis too many"), ("a(b", "lacks a closing parenthesis")):
        with pytest.raises(ConfigError, match=message):
            split_items(text)


def test_every_transform_is_documented_with_its_defaults() -> None:
    """Names and defaults in the page's table are those of the classes, and are read as typed there."""
    page = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z-]+)\((.*?)\)` \|", page, re.M))
    assert documented == {
        name: ",".join(f"{field.name}={to_text(default_of(field))}" for field in fields(cls))
        for name, cls in TRANSFORMS.items()
    }
    for name, parameters in documented.items():
        (found,) = changes(f"augment={name}({parameters})").transforms
        assert found == TRANSFORMS[name]()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plan.schedule=cosine(warmup=2)", "warmup is a share of the steps, 0 to 1, got 2.0"),
        ("plan.schedule=cosine(warmup=nan)", "warmup is a share of the steps, 0 to 1, got nan"),
        ("plan.schedule=step(every=0,gamma=0.5)", "needs every >= 1 and 0 < gamma <= 1, got every 0 and gamma 0.5"),
        ("plan.learning_rate=inf", "learning_rate must be positive, got inf"),
        ("plan.weight_decay=-1", "weight_decay must not be negative, got -1.0"),
        ("plan.optimiser=sgd,plan.momentum=0,plan.nesterov=true", "nesterov needs a momentum above 0"),
    ],
)
def test_impossible_values_of_a_plan_are_refused_before_training(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        (variant,) = parse_variants(f"sb-cnn[{text}]")
        variant.build(task(3), Budget.SMOKE).training_plan()
    assert message in str(caught.value)


def test_augment_is_no_field_of_the_mapping_plan() -> None:
    with pytest.raises(ConfigError, match=r"plan holds augment, which is a setting of its own"):
        variant_of("sb-cnn", plan={"augment": "mixup"}, augment="roll")


def test_stored_systems_are_found_however_their_settings_were_typed() -> None:
    stored = str(parse_variants("sb-cnn[augment=mixup+specaugment(time=20)]")[0])
    assert stored in Named.of("sb-cnn[augment=mixup(alpha=0.3)+specaugment(time=20)]")
    assert stored in Named.of("sb-cnn[augment=roll|mixup+specaugment(time=20)]")
    assert stored in Named.of("sb-cnn[augment=*]") and stored in Named.of("sb-cnn*") and stored in Named.of("*")
    assert stored not in Named.of("sb-cnn") and stored not in Named.of("sb-cnn[augment=roll]")
    assert "gone[setting=1]" in Named.of("gone[setting=1]")
