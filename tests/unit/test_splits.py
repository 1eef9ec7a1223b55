from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_bench.data.manifest import clip_table
from asc_bench.data.splits import check_disjoint, cut_validation
from asc_bench.errors import ConfigError, DataError
from asc_bench.protocol import Fold


def table_of(clips: Sequence[tuple[str, str]], devices: str = "A") -> pd.DataFrame:
    """One recording per (scene, location) pair, on each of the devices."""
    return clip_table(
        [
            {"clip_id": f"{i:04}-{device}", "path": f"/{i}{device}.wav", "start_s": 0.0, "duration_s": 10.0}
            | {"scene": scene, "coarse": "", "device": device, "city": "", "location": location}
            | {"recording_id": str(i)}
            for i, (scene, location) in enumerate(clips)
            for device in devices
        ]
    )


def scenes_at(scene: str, sizes: Sequence[int]) -> list[tuple[str, str]]:
    return [(scene, f"{scene}-{i}") for i, n in enumerate(sizes) for _ in range(n)]


def cut(
    table: pd.DataFrame, fraction: float = 0.2, seed: int = 0, by: str = "location"
) -> tuple[set[str], set[str]]:
    train, validation = cut_validation(table, list(table["clip_id"]), fraction=fraction, seed=seed, by=by)
    assert list(train) == sorted(train)
    assert list(validation) == sorted(validation)
    return set(train), set(validation)


clip_lists = st.lists(
    st.tuples(st.sampled_from(["bus", "park", "tram"]), st.integers(0, 6).map(str)), min_size=12, max_size=80
)


@given(clips=clip_lists, fraction=st.floats(0.05, 0.6), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_properties(clips: list[tuple[str, str]], fraction: float, seed: int) -> None:
    """Locations are shared between scenes here, which no official set does: the cut must still be clean."""
    table = table_of(clips, devices="AB")
    try:
        train, validation = cut(table, fraction=fraction, seed=seed)
    except DataError as error:
        assert "no validation split can be cut" in str(error)
        assert table.groupby("scene")["location"].nunique().max() == 1 or table["location"].nunique() <= 3
        return
    assert train | validation == set(table["clip_id"])
    assert not train & validation
    in_validation = table["clip_id"].isin(validation)
    for column in ("location", "recording_id"):
        assert not set(table.loc[in_validation, column]) & set(table.loc[~in_validation, column])
    assert set(table.loc[~in_validation, "scene"]) == set(table["scene"])
    shuffled = table.sample(frac=1, random_state=seed)
    assert cut(shuffled, fraction=fraction, seed=seed) == (train, validation)


def test_fraction_of_every_scene() -> None:
    table = table_of([*scenes_at("bus", [5] * 20), *scenes_at("park", [10] * 30)])
    _, validation = cut(table, fraction=0.15)
    counts = table[table["clip_id"].isin(validation)]["scene"].value_counts()
    assert counts["bus"] == 15
    assert abs(counts["park"] - 45) == 5


def test_few_large_locations_still_give_one() -> None:
    table = table_of([*scenes_at("bus", [40, 30, 20]), *scenes_at("park", [10] * 10)])
    _, validation = cut(table, fraction=0.05)
    at = table[table["clip_id"].isin(validation)].groupby("scene")["location"].unique()
    assert list(at["bus"]) == ["bus-2"]
    assert len(at["park"]) == 1


def test_single_location_stays_in_train() -> None:
    table = table_of([*scenes_at("bus", [10]), *scenes_at("park", [5] * 4)])
    _, validation = cut(table, fraction=0.5)
    assert set(table[table["clip_id"].isin(validation)]["scene"]) == {"park"}
    with pytest.raises(DataError, match="every scene has clips of a single location only"):
        cut(table_of([*scenes_at("bus", [10]), *scenes_at("park", [5])]))


def test_seed_moves_the_cut_and_other_scenes_do_not() -> None:
    bus = scenes_at("bus", [3] * 12)
    alone, joined = table_of(bus), table_of([*bus, *scenes_at("park", [3] * 12)])
    cuts = [cut(alone, seed=seed)[1] for seed in range(5)]
    assert len({frozenset(c) for c in cuts}) > 1
    assert {c for c in cut(joined)[1] if c in set(alone["clip_id"])} == cuts[0]


def test_only_training_clips_are_divided() -> None:
    table = table_of([*scenes_at("bus", [2] * 10), *scenes_at("park", [2] * 10)])
    given_ids = [
        c for c, place in zip(table["clip_id"], table["location"], strict=True) if not place.endswith("-0")
    ]
    train, validation = cut_validation(table, given_ids, fraction=0.2, seed=0)
    assert sorted((*train, *validation)) == sorted(given_ids)


def test_refused() -> None:
    table = table_of([*scenes_at("bus", [2] * 3)])
    for fraction in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="must lie between 0 and 1"):
            cut(table, fraction=fraction)
    with pytest.raises(ConfigError, match="no column 'spot'"):
        cut(table, by="spot")
    with pytest.raises(DataError, match="clip 'stranger' is not in the clip table"):
        cut_validation(table, ["stranger"], fraction=0.2, seed=0)
    wrong = table.assign(recording_id="one for all")
    with pytest.raises(DataError, match="recording 'one for all' lies in more than one location"):
        cut(wrong)


def test_guard_names_swapped_locations() -> None:
    table = table_of([*scenes_at("bus", [3] * 10), *scenes_at("park", [3] * 10)])
    train, validation = cut_validation(table, list(table["clip_id"]), fraction=0.2, seed=0)
    check_disjoint(table, Fold("fold1", train, validation, ()))
    at = dict(zip(table["clip_id"], table["location"], strict=True))
    swapped_train = (validation[0], *train[1:])
    swapped_validation = (train[0], *validation[1:])
    with pytest.raises(DataError, match="fold1: 2 values of location are in train and in validation") as error:
        check_disjoint(table, Fold("fold1", swapped_train, swapped_validation, ()))
    assert at[train[0]] in str(error.value)
    assert at[validation[0]] in str(error.value)
    with pytest.raises(DataError, match="in validation and in test"):
        check_disjoint(
            table, Fold("f", train, validation[1:], validation[:1]), parts=("train", "validation", "test")
        )
