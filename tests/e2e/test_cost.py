"""``asc-bench cost`` as a user types it: counts, limits by year, layers, windows, systems without a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.inside import Cli, inside


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, pytest.MonkeyPatch]]:
    with inside(tmp_path_factory.mktemp("cost"), tmp_path_factory.mktemp("cache")) as found:
        yield found


@pytest.fixture
def cost(places: tuple[Cli, pytest.MonkeyPatch], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``asc-bench cost`` in a window of 100 columns, with no data on disk."""
    cli, _ = places
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("ASC_BENCH_DATA", "/nonexistent")
    return lambda *arguments: cli("cost", *arguments)


def test_the_baseline_of_2024_is_within_its_limits_in_half_precision(cost: Cli) -> None:
    done = cost("dcase2024-baseline", "-p", "dcase2025")
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "parameters: 61,148 (all of them trainable)" in lines
    assert "bytes: 244,592 in float32, 122,296 in float16, 61,148 in int8" in lines
    assert "MACs (DCASE): 29,419,156 for one clip" in lines
    assert "bytes: 122,296 in float16, which it predicts in; at most 128,000: within" in lines
    assert "MACs (DCASE): 29,419,156; at most 30,000,000: within" in lines


def test_what_is_over_is_said_with_the_precision_that_would_do(cost: Cli) -> None:
    text = cost("bc-resnet-mod[width=40]", "-p", "dcase2024-5").stdout
    assert "342,920 in float32, which it predicts in; at most 128,000: over; within it in int8" in text
    assert "no system is kept from running" in " ".join(text.split())
    in_2022 = cost("bc-resnet-mod[width=40]", "-p", "dcase2022").stdout
    assert "parameters: 85,730; at most 128,000: within" in in_2022
    assert "8-bit integers, which is not checked" in " ".join(in_2022.split())


def test_several_systems_are_rows_and_those_without_a_network_say_why(cost: Cli) -> None:
    done = cost("dcase2024-baseline,sb-cnn,logmel-svm", "-p", "dcase2025")
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert rows["dcase2024-baseline"].split()[-1] == "within"
    assert rows["sb-cnn"].endswith("over: bytes, MACs")
    assert "logmel-svm: not counted before it is fitted: what its classifier stores" in done.stdout
    assert any(line.startswith("logmel-svm") and line.endswith("not known") for line in done.stdout.splitlines())
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("width", ["60", "100"])
def test_nothing_is_wider_than_the_window(cost: Cli, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    done = cost("dcase2024-baseline,caa-net[training=single-device]", "-p", "dcase2025", "--layers")
    assert max(map(len, done.stdout.splitlines())) <= int(width)
    totals = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("total")]
    assert totals[0] == ["61,148", "29,419,156", "29,416,448"]
    assert ("BatchNorm2d" in done.stdout) == (width == "100")


def test_a_protocol_without_limits_says_so_and_counts_all_the_same(cost: Cli) -> None:
    done = cost("dcase2018-baseline", "-p", "dcase2018", "-b", "quick")
    assert "parameters: 116,022" in done.stdout and "multiply-adds: 111,655,400 for one clip" in done.stdout
    assert "limits: dcase2018 has none on size and cost" in done.stdout
    assert "over" not in done.stdout


def test_a_system_without_a_network_has_no_layers(cost: Cli) -> None:
    done = cost("logmel-svm", "-p", "dcase2025", "--layers")
    assert done.returncode == 0
    assert "cost: not counted before it is fitted" in done.stdout
    assert "logmel-svm: there is no network whose layers could be counted" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sb-cnnn", "-p", "dcase2025"), "sb-cnn"),
        (("sb-cnn", "-p", "dcase2026"), "there is no protocol 'dcase2026'"),
        (("sb-cnn", "-p", "dcase2025", "-b", "huge"), "--budget is 'huge'"),
    ],
)
def test_wrong_input_is_told(cost: Cli, arguments: tuple[str, ...], message: str) -> None:
    done = cost(*arguments)
    assert done.returncode == 2 and message in done.stderr
