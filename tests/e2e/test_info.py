"""``asc-bench info`` of systems as a user types it: size and cost, published numbers, narrow windows, errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from asc_bench.cli.describe import ROWS_SHOWN
from asc_bench.registry import systems
from tests.e2e.inside import Cli, inside


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, pytest.MonkeyPatch]]:
    with inside(tmp_path_factory.mktemp("info"), tmp_path_factory.mktemp("cache")) as found:
        yield found


@pytest.fixture
def info(places: tuple[Cli, pytest.MonkeyPatch], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``asc-bench info`` in a window of 100 columns, with no data on disk."""
    cli, _ = places
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("ASC_BENCH_DATA", "/nonexistent")
    return lambda *arguments: cli("info", *arguments)


def told(text: str, name: str) -> str:
    """What stands behind ``name:``, on one line."""
    found = re.search(rf"^ +{name}: (.*(?:\n      +.*)*)", text, re.MULTILINE)
    assert found is not None, text
    return " ".join(found[1].split())


def test_a_network_on_a_protocol(info: Cli) -> None:
    done = info("dcase2018-baseline", "--protocol", "dcase2018")
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "on the task of dcase2018 (untrained, budget paper)" in text
    assert told(text, "parameters") == "116,022 (trainable)"  # as the baseline's own code prints
    assert told(text, "bytes") == "464,088 (these in float32, 453.2 KiB)"
    assert told(text, "multiply-adds") == "111,655,400 for one clip (112 million)"
    assert told(text, "front end").startswith("LogMel: 44,100 Hz, FFT of 2,048 samples, windows of 1,764 samples")
    assert told(text, "clip") == "10 s"
    assert told(text, "coarse classes") == "3 (indoor, outdoor, transportation)"
    assert told(text, "devices in training") == "A, B, C"
    assert "501 frames x 40 mel bands for one clip" in text


def test_without_a_protocol_the_default_one_is_named(info: Cli) -> None:
    done = info("caa-net[training=single-device]")
    assert "on the task of dcase2018 (untrained, budget paper; the default, name another with" in done.stdout
    assert told(done.stdout, "parameters") == "12,943,740 (trainable)"  # three times 4,314,580
    settings = " ".join(done.stdout.split())
    assert (
        "training = single-device (single-device | joint | teacher-forcing | multi-task; default joint)" in settings
    )


def test_what_is_no_network_says_what_is_not_defined_and_why(info: Cli) -> None:
    text = info("logmel-svm").stdout
    assert told(text, "parameters and multiply-adds").startswith("not defined before it is fitted: what its")
    assert "bytes" not in text
    assert "combines the predictions of hierarchical-cnn and cnn-ivector" in " ".join(
        info("proposed2").stdout.split()
    )


def test_a_system_that_cannot_run_here_or_there_is_described_all_the_same(info: Cli) -> None:
    vggish = info("vggish-svm")
    assert vggish.returncode == 0 and told(vggish.stdout, "note").startswith("unavailable: no weights here: fetch")
    assert "10 examples x 96 frames x 64 mel bands" in vggish.stdout
    without = info("embedding-svm")
    assert without.returncode == 0 and "needs settings: embedding-svm: no extractor is named" in without.stdout


CNN_POOL_ATT_JOINT = {"A": "72.6", "B": "62.2", "C": "56.1", "average": "63.6"}
"""As Table II prints them."""


def rows(text: str) -> list[str]:
    """Lines of the published numbers that begin a row: they have a source."""
    return re.findall(r"^  \S.* \[\d+\]$", text, re.MULTILINE)


def test_published_numbers_are_a_small_table_unless_all_are_asked_for(info: Cli) -> None:
    short = info("caa-net", "-p", "dcase2018").stdout
    everything = info("caa-net", "-p", "dcase2018", "--all").stdout
    # Table I has 56 numbers and Table II has 224; Table III is of dcase2019.
    assert len(rows(short)) == ROWS_SHOWN and f"{280 - ROWS_SHOWN} more: --all shows them" in short
    assert len(rows(everything)) == 280 and "--all" not in everything
    # The settings that are described come first: CNN-POOL / ATT, joint, of Table II.
    first = [line.split()[:3] for line in rows(short)[:4]]
    assert first == [["dcase2018", m, v] for m, v in CNN_POOL_ATT_JOINT.items()]
    assert "[1] results/published/caanet_table2.csv" in short


def test_published_numbers_of_settings(info: Cli) -> None:
    text = info("caa-net[pooling=max]", "-p", "dcase2018").stdout
    assert "published numbers of dcase2018 and these settings" in text and len(rows(text)) == 4
    assert told(info("caa-net", "-p", "esc10").stdout, "published numbers").startswith("none of esc10; `asc-bench")


@pytest.mark.parametrize("columns", [60, 100])
def test_no_line_is_wider_than_the_window(info: Cli, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in systems().names():
        text = info(name, "--all").stdout
        assert max(map(len, text.splitlines())) <= columns, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caa-net[training=joi]"], "training is 'joi', but must be one of single-device, joint"),
        (["caa-net["], "'caa-net[' lacks a closing bracket"),
        (["caa-nt[training=joint]"], "there is no system, protocol or data set 'caa-nt'; did you mean 'caa-net'"),
        (["caa-net", "-p", "dcase2081"], "no protocol 'dcase2081'; did you mean 'dcase20"),
        (["caa-net[training=*]"], "stands for 4 systems, such as caa-net"),
        (["caa-net[training=multi-task]", "-p", "esc10"], "cannot run on esc10: training=multi-task conditions on"),
        (["sb-cnn", "-p", "audioset-dcase2017"], "cannot run on audioset-dcase2017: clips have several labels"),
        (["embedding-svm", "-p", "esc10"], "no extractor is named"),
        (["dcase2018", "-p", "esc10"], "dcase2018 is no system: settings, --protocol and --all are for systems"),
        (["esc-10", "--all"], "esc-10 is no system"),
    ],
)
def test_wrong_usage_exits_2_with_one_sentence(info: Cli, arguments: list[str], message: str) -> None:
    done = info(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
