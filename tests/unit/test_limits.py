"""Limits on size and cost: how each year counts, and what is over them."""

import pytest

from asc_bench.errors import ConfigError
from asc_bench.limits import Limits
from asc_bench.protocol import Protocol
from asc_bench.registry import protocols
from asc_bench.runs.describe import describe
from asc_bench.stored_protocol import StoredProtocol, definition

COST = {"n_parameters": 61_148, "n_stored": 61_148, "n_nonzero": 64_000, "n_macs_dcase": 29_419_156}
"""The baseline of DCASE 2024, with a made-up number of statistics."""


def limits(protocol: str) -> Limits:
    found = protocols().get(protocol).limits
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("dcase2021", {"bytes": 128_000}),
        ("dcase2022", {"parameters": 128_000, "MACs (DCASE)": 30_000_000}),
        ("dcase2023", {"parameters": 128_000, "MACs (DCASE)": 30_000_000}),
        ("dcase2024-5", {"bytes": 128_000, "MACs (DCASE)": 30_000_000}),
        ("dcase2024-100", {"bytes": 128_000, "MACs (DCASE)": 30_000_000}),
        ("dcase2025", {"bytes": 128_000, "MACs (DCASE)": 30_000_000}),
    ],
)
def test_each_year_has_its_rule(protocol: str, expected: dict[str, int]) -> None:
    assert limits(protocol).values() == expected


@pytest.mark.parametrize("protocol", ["dcase2018", "dcase2019", "dcase2020", "esc50"])
def test_subtasks_without_a_rule_have_no_limits(protocol: str) -> None:
    assert protocols().get(protocol).limits is None


def test_the_precision_decides_on_bytes_and_not_on_parameters() -> None:
    """61,148 numbers are 244,592 bytes in float32, 122,296 in float16, as the challenge states."""
    assert limits("dcase2024-25").exceeded(COST) == ("bytes",)
    assert limits("dcase2024-25").exceeded(COST, precision="float16") == ()
    assert limits("dcase2024-25").count(COST, precision="float16")["bytes"] == 122_296
    assert limits("dcase2022").exceeded(COST) == ()


def test_2021_counts_what_is_not_zero() -> None:
    assert limits("dcase2021").count(COST, precision="float16")["bytes"] == 128_000
    assert limits("dcase2021").exceeded(COST, precision="float16") == ()
    assert limits("dcase2021").exceeded(COST | {"n_nonzero": 64_001}, precision="float16") == ("bytes",)


def test_2020_with_three_classes_counts_nothing_of_batch_normalisations() -> None:
    """128,000 numbers of four bytes are 500 kB of 1,024."""
    counted = COST | {"n_nonzero_outside_batch_norm": 128_000}
    assert limits("dcase2020-3class").count(counted)["bytes"] == 512_000
    assert limits("dcase2020-3class").exceeded(counted) == ()
    more = COST | {"n_nonzero_outside_batch_norm": 128_001}
    assert limits("dcase2020-3class").exceeded(more) == ("bytes",)
    assert limits("dcase2020-3class").exceeded(more, precision="float16") == ()


def test_2025_holds_each_devices_network_to_the_limit_and_other_years_all_together() -> None:
    seven = COST | {"n_stored": 7 * 61_148, "n_device_models": 7}
    assert limits("dcase2025").exceeded(seven, precision="float16") == ()
    assert limits("dcase2024-25").exceeded(seven, precision="float16") == ("bytes",)
    assert "for each device's network alone" in str(limits("dcase2025"))


def test_a_limit_is_included_and_what_is_not_known_is_told() -> None:
    rule = Limits(n_parameters=10, n_macs=20)
    assert rule.exceeded({"n_stored": 10, "n_macs_dcase": 20}) == ()
    assert rule.exceeded({"n_stored": 11, "n_macs_dcase": 21}) == ("parameters", "MACs (DCASE)")
    assert rule.exceeded({"n_stored": None, "n_macs_dcase": 21}) == ("MACs (DCASE)",)
    assert rule.unknown({"n_stored": None, "n_macs_dcase": 21}) == ("parameters",)
    assert str(rule) == "at most 10 parameters and 20 MACs (DCASE) per clip"


def test_senseless_limits_are_refused() -> None:
    with pytest.raises(ConfigError, match="limits without a limit: give n_parameters, n_bytes or n_macs"):
        Limits()
    with pytest.raises(ConfigError, match="at most 0 bytes, must be at least 1"):
        Limits(n_bytes=0)
    with pytest.raises(
        ConfigError, match="counted is 'all', must be one of n_stored, n_nonzero_parameters, n_nonzero, "
    ):
        Limits(n_bytes=1, counted="all")  # type: ignore[arg-type]


def test_limits_are_kept_with_the_results_of_a_protocol_that_is_registered_nowhere() -> None:
    protocol = protocols().get("dcase2025")()
    stored = definition(protocol)
    assert stored is not None
    again: Protocol = StoredProtocol(stored)
    assert again.limits == protocol.limits
    older = {key: value for key, value in stored.items() if key != "limits"}
    assert StoredProtocol(older).limits is None


@pytest.mark.parametrize(
    ("protocol", "over"), [("dcase2022", ("parameters",)), ("dcase2024-25", ("bytes",)), ("dcase2025", ())]
)
def test_networks_of_devices_are_counted_as_each_year_has_it(protocol: str, over: tuple[str, ...]) -> None:
    """Seven networks of 61,148 parameters in half precision: 122,296 bytes each, 856,072 together."""
    found = describe("device-specific[of=dcase2025-baseline]", protocol=protocol)
    assert found.cost["n_stored"] == 7 * 61_148
    assert found.precision == "float16"
    assert limits(protocol).exceeded(found.cost, precision=found.precision) == over
