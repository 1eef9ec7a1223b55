"""Letters behind systems: two that share one do not differ significantly."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from string import ascii_lowercase

import pandas as pd

from asc_bench.scoring.frames import SIGNIFICANT

Pair = frozenset[str]


def letters(significance: pd.DataFrame, systems: Sequence[str], *, measure: str) -> dict[str, str]:
    """Letters of some systems, from the Holm-corrected paired bootstrap of one measure.

    Parameters are those of `groups`.

    Returns
    -------
    dict
        System to its letters, one for each of its `groups`; empty where there are none.
    """
    return letters_of(groups(significance, systems, measure=measure), systems)


def letters_of(found: Sequence[frozenset[str]], systems: Sequence[str]) -> dict[str, str]:
    """Letters of systems whose `groups` are known."""
    names = dict.fromkeys(systems, "") if found else {}
    for i, group in enumerate(found):
        for system in systems:
            names[system] += letter(i) if system in group else ""
    return names


def groups(significance: pd.DataFrame, systems: Sequence[str], *, measure: str) -> list[frozenset[str]]:
    """The largest groups of systems of which no two differ by one measure, Holm-corrected paired bootstrap.

    Parameters
    ----------
    significance : DataFrame
        ``significance_table`` of ``asc_bench.scoring.frames``.
    systems : sequence of str
        Best first: the best one is in the first group.
    measure : str
        Name of a measure.

    Returns
    -------
    list of frozenset
        In the order of their best systems. Empty where a pair of these systems was not tested, such as in a table
        of comparisons with one reference, and where there are not two systems: groups could be read as a test
        that nobody made.
    """
    rows = significance[(significance["measure"] == measure) & significance["p_bootstrap_holm"].notna()]
    compared = zip(rows["system_a"], rows["system_b"], rows["p_bootstrap_holm"], strict=True)
    p_of: Mapping[Pair, float] = {frozenset((str(a), str(b))): float(p) for a, b, p in compared}
    pairs = [frozenset((a, b)) for i, a in enumerate(systems) for b in systems[i + 1 :]]
    if not pairs or not all(pair in p_of for pair in pairs):
        return []
    return alike(systems, [pair for pair in pairs if p_of[pair] <= SIGNIFICANT])


def alike(systems: Sequence[str], different: Collection[Pair]) -> list[frozenset[str]]:
    """The largest groups of systems of which no two differ, in the order of their first systems.

    Insert and absorb: Piepho, An algorithm for a letter-based representation of all-pairwise comparisons, Journal
    of Computational and Graphical Statistics 13(2), 2004.
    """
    groups = [frozenset(systems)]
    for pair in different:
        split = [part for group in groups for part in (_without(group, pair) if pair <= group else (group,))]
        distinct = list(dict.fromkeys(split))
        groups = [group for group in distinct if not any(group < other for other in distinct)]
    place = {system: i for i, system in enumerate(systems)}
    return sorted(groups, key=lambda group: sorted(place[system] for system in group))


def _without(group: frozenset[str], pair: Pair) -> list[frozenset[str]]:
    return [group - {system} for system in sorted(pair)]


def letter(i: int) -> str:
    """a to z; then, in brackets so that they cannot be taken for two letters, numbers."""
    return ascii_lowercase[i] if i < len(ascii_lowercase) else f"({i + 1})"
