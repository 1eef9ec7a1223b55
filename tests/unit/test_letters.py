"""Letters of systems that do not differ: two share one exactly where they do not."""

from __future__ import annotations

import math
from itertools import combinations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from asc_bench.reporting.letters import alike, letters

NAMES = "abcdefg"


def compared(p_values: dict[tuple[str, str], float], measure: str = "average") -> pd.DataFrame:
    rows = [(measure, a, b, p) for (a, b), p in p_values.items()]
    return pd.DataFrame(rows, columns=["measure", "system_a", "system_b", "p_bootstrap_holm"])


def test_a_chain_whose_ends_differ() -> None:
    found = letters(
        compared({("x", "y"): 0.3, ("y", "z"): 0.2, ("x", "z"): 0.01}), ["x", "y", "z"], measure="average"
    )
    assert found == {"x": "a", "y": "ab", "z": "b"}


def test_the_limit_itself_is_significant() -> None:
    assert letters(compared({("x", "y"): 0.05}), ["x", "y"], measure="average") == {"x": "a", "y": "b"}
    assert letters(compared({("x", "y"): 0.0501}), ["x", "y"], measure="average") == {"x": "a", "y": "a"}


def test_a_pair_that_was_not_tested_gives_no_letters() -> None:
    of_reference = compared({("x", "y"): 0.3, ("x", "z"): 0.01})
    assert letters(of_reference, ["x", "y", "z"], measure="average") == {}
    assert letters(compared({("x", "y"): math.nan}), ["x", "y"], measure="average") == {}
    assert letters(compared({("x", "y"): 0.3}, "other"), ["x", "y"], measure="average") == {}
    assert letters(compared({}), ["x"], measure="average") == {}


@given(st.sets(st.sampled_from(list(combinations(NAMES, 2)))))
def test_two_systems_share_a_letter_exactly_where_they_do_not_differ(pairs: set[tuple[str, str]]) -> None:
    tested = {pair: 0.01 if pair in pairs else 0.5 for pair in combinations(NAMES, 2)}
    found = letters(compared(tested), list(NAMES), measure="average")
    for (a, b), p in tested.items():
        assert bool(set(found[a]) & set(found[b])) == (p > 0.05)


@given(st.sets(st.sampled_from(list(combinations(NAMES, 2)))))
def test_groups_are_the_largest_ones(pairs: set[tuple[str, str]]) -> None:
    differ = [frozenset(pair) for pair in pairs]
    # Oracle: every subset without a pair that differs, and of these the ones that no other holds.
    sets = [frozenset(s) for n in range(1, len(NAMES) + 1) for s in combinations(NAMES, n)]
    whole = [s for s in sets if not any(pair <= s for pair in differ)]
    assert set(alike(NAMES, differ)) == {s for s in whole if not any(s < other for other in whole)}
