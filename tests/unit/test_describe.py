"""What is said of a system before anything is fitted: counts worked by hand, inputs, reasons, published numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from asc_bench.api import COARSE, FINE, Budget, ConfigError, LogMel, SystemFailure
from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.errors import AscBenchError
from asc_bench.features.frontends import caa_net_log_mel
from asc_bench.features.in_words import in_words
from asc_bench.features.joint import JointFrontEnd
from asc_bench.registry import protocols, systems
from asc_bench.reporting.published import published_numbers
from asc_bench.runs.describe import describe
from asc_bench.runs.variant import parse_variants
from tests.unit.cheap_sounds import hissing_source

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


def test_dcase2018_baseline_is_what_its_source_prints_and_what_is_worked_by_hand() -> None:
    found = describe("dcase2018-baseline")
    assert found.protocol == "dcase2018" and found.budget is Budget.PAPER
    assert found.n_parameters == 116_022  # the source's print-out
    assert found.n_bytes == 4 * 116_022
    assert found.n_multiply_adds == 40 * 500 * 49 * 32 + 8 * 100 * 49 * 32 * 64 + 128 * 100 + 100 * 10
    assert found.input_shape == (501, 40) and found.input_axes == ("frames", "mel bands")
    assert found.task.clip_duration_s == 10.0 and found.task.devices == ("A", "B", "C")
    assert (len(found.task.labels.fine), len(found.task.labels.coarse)) == (10, 3)
    assert found.undefined == "" and found.reason is None


@pytest.mark.parametrize(
    ("system", "protocol", "expected"),
    [
        # 70 classes and one channel: the published count of two channels, less one channel of the first layer.
        ("cp-resnet[rho=5]", "merged", 3_594_252),
        # Table I of the paper with 8 prototypes of 128 numbers.
        ("hierarchical-cnn", "merged", 4_542_462 + 8 * 128),
        # The network of the released code, less its condition on three devices.
        ("caa-net", "dcase2018", 4_316_628 - (3 * 512 + 512)),
        # One such network for each device: only the task tells how many.
        ("caa-net[training=single-device]", "dcase2018", 3 * (4_316_628 - (3 * 512 + 512))),
        ("caa-net[topology=atrous,training=multi-task,condition_layer=1]", "dcase2019", 4_522_007),
        ("dcase2024-baseline", "dcase2018", 61_148),  # the challenge's count
    ],
)
def test_parameters_are_those_that_are_published_or_counted_elsewhere(
    system: str, protocol: str, expected: int
) -> None:
    assert describe(system, protocol=protocol).n_parameters == expected


def test_the_protocol_decides_on_the_length_of_the_clips_and_the_classes() -> None:
    found = describe("sb-cnn", protocol="esc50")
    assert found.input_shape == (1 + 5 * 44_100 // 1_024, 128)
    assert set(found.task.labels.levels) == {FINE, COARSE} and len(found.task.labels.fine) == 50
    # 40 more classes than dcase2018, each with a weight for 64 units and a bias.
    assert found.n_parameters == describe("sb-cnn").n_parameters + 40 * 65  # type: ignore[operator]


@pytest.mark.parametrize(
    ("system", "why"),
    [
        ("logmel-svm", "such as support vectors, depends on the training clips"),
        ("vggish-svm", "such as support vectors, depends on the training clips"),
        ("cnn-ivector", "a part of it is no network"),
        ("proposed2", "combines the predictions of hierarchical-cnn and cnn-ivector"),
        ("cnn-ensemble", "combines the predictions of 9 systems, such as cnn-ensemble-member"),
        ("transfer[system=sb-cnn,variant=svm]", "it embeds by sb-cnn as trained on the source"),
    ],
)
def test_what_is_not_defined_before_the_fit_has_a_reason(system: str, why: str) -> None:
    found = describe(system)
    assert found.n_parameters is None and found.n_bytes is None and found.n_multiply_adds is None
    assert why in found.undefined


def test_a_network_that_is_trained_from_scratch_costs_the_same_as_a_transfer() -> None:
    alone = describe("sb-cnn", protocol="esc10")
    for variant in ("retrain", "finetune"):
        found = describe(f"transfer[system=sb-cnn,variant={variant}]", protocol="esc10")
        assert (found.n_parameters, found.n_multiply_adds) == (alone.n_parameters, alone.n_multiply_adds)
    several = describe("transfer[system=sb-cnn,variant=retrain]", protocol="audioset-dcase2017")
    assert several.n_parameters is None and "takes the place of its heads" in several.undefined


def test_a_fusion_reads_no_clips() -> None:
    found = describe("fusion[members=sb-cnn+logmel-svm]")
    assert found.front_end is None and found.input_shape == found.input_axes == ()


def test_a_missing_file_is_told_and_hinders_no_description(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASC_BENCH_CACHE", str(tmp_path))
    found = describe("vggish-svm", protocol="esc10")
    assert found.reason is not None and found.reason.kind == "missing-file"
    assert found.input_shape == (5, 96, 64) and found.input_axes == ("examples", "frames", "mel bands")


@pytest.mark.parametrize(
    ("system", "protocol", "message"),
    [
        ("caa-net[training=joi]", "dcase2018", "training is 'joi', but must be one of single-device, joint"),
        ("sb-cnn", "dcase2081", "no protocol 'dcase2081'; did you mean 'dcase20"),
        ("caa-net[training=*]", "dcase2018", r"stands for 4 systems, such as caa-net.*; name one of them"),
        ("logmel-svm-one-device", "esc10", "^logmel-svm-one-device cannot run on esc10: there are no training"),
        ("caa-net[training=multi-task]", "esc10", "cannot run on esc10: .* the data name no device; use joint"),
        ("sb-cnn", "audioset-dcase2017", "cannot run on audioset-dcase2017: clips have several labels here"),
        ("proposed1", "audioset-dcase2017", "hierarchical-cnn cannot run on .*: clips have several labels here"),
        ("transfer[system=logmel-svm]", "esc10", "logmel-svm is no neural network"),
    ],
)
def test_what_cannot_be_described_says_why(system: str, protocol: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        describe(system, protocol=protocol)


def test_a_system_that_crashes_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(self: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(systems().get("sb-cnn"), "build", build)
    with pytest.raises(SystemFailure, match=r"^sb-cnn cannot be built for dcase2018: ZeroDivisionError: by n"):
        describe("sb-cnn")


def test_the_callers_random_numbers_stay_as_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    describe("caa-net")
    assert torch.equal(torch.rand(4), expected)


def test_every_system_is_described_or_refuses_in_one_sentence_on_every_protocol() -> None:
    for protocol in ("esc10", "greatest-hits", "audioset-dcase2017"):
        for variant in parse_variants("all"):
            try:
                found = describe(variant, protocol=protocol)
            except AscBenchError as error:
                assert str(error).startswith(f"{variant} cannot run on {protocol}: ")
            else:
                assert len(found.input_axes) == len(found.input_shape)
                assert "values" not in found.input_axes
                assert (found.undefined == "") == (None not in (found.n_parameters, found.n_multiply_adds))


@pytest.mark.parametrize("protocol", ["dcase2019", "esc10", "esc10-devices"])
def test_protocols_name_the_devices_that_their_data_have(protocol: str, tiny: Source, tmp_path: Path) -> None:
    source = hissing_source("tau-urban-2019-mobile", tmp_path) if protocol == "dcase2019" else tiny
    bench = source.bench(protocol, lambda fraction, text: None)
    assert {bench.task(fold).devices for fold in bench.folds} == {protocols().get(protocol).devices}


def test_the_task_without_data_is_that_of_the_runs(bench: Bench) -> None:
    assert describe("sb-cnn").task == bench.task(bench.folds[0])


def test_front_ends_in_words() -> None:
    assert in_words(caa_net_log_mel()) == (
        "LogMel: 44,100 Hz, FFT of 2,048 samples, windows of 2,048 samples (46.4 ms), hop 1,376 samples (31.2 ms), "
        "64 mel bands, fmin 20 Hz, fmax 22,050 Hz, window hamming, symmetric window, unit power window, power 1, "
        "centre off, floor 1e-08"
    )
    small: dict[str, int | float] = {"n_fft": 256, "window_length": 256, "hop_length": 80, "n_mels": 16}
    part = LogMel(sample_rate_hz=8_000, fmin_hz=0.0, fmax_hz=4_000.0, **small)  # type: ignore[arg-type]
    assert in_words(JointFrontEnd(sample_rate_hz=8_000, parts=(part, part))).startswith(
        "JointFrontEnd: 8,000 Hz, parts LogMel (8,000 Hz, FFT of 256 samples, windows of 256 samples (32 ms), "
        "hop 80 samples (10 ms), 16 mel bands, fmin 0 Hz, fmax 4,000 Hz) and LogMel ("
    )


def test_published_numbers_are_all_rows_of_the_papers_tables() -> None:
    card = systems().get("caa-net").card
    found = published_numbers(card)
    printed = []
    for table in ("caanet_table1", "caanet_table2", "caanet_table3"):
        with (PUBLISHED / f"{table}.csv").open() as stream:
            printed += [(table, row["accuracy"]) for row in csv.DictReader(stream)]
    assert sorted((n.entry.table, n.printed) for n in found) == sorted(printed)
    assert all(float(n.printed) == n.value for n in found)
    assert {n.protocol for n in published_numbers(card, protocol="dcase2019")} == {"dcase2019"}


def test_published_numbers_of_settings_are_those_of_the_row() -> None:
    (variant,) = parse_variants("caa-net[pooling=max]")
    card = systems().get("caa-net").card
    found = published_numbers(card, protocol="dcase2018", params=variant.params)
    with (PUBLISHED / "caanet_table2.csv").open() as stream:
        rows = [r for r in csv.DictReader(stream) if r["topology"] == "cnn-pool" and r["pooling"] == "max"]
    expected = {r["device"]: r["accuracy"] for r in rows if r["training"] == "joint"}
    assert {n.measure: n.printed for n in found} == expected and len(found) == 4


def test_the_source_of_a_row_is_told() -> None:
    (first, *_) = published_numbers(systems().get("dcase2018-baseline").card)
    assert first.source.startswith("README of github.com/DCASE-REPO/dcase2018_baseline")
