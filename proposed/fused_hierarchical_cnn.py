"""Fusions of the hierarchical CNN with two other systems: "Proposed1" and "Proposed2" of its paper."""

from __future__ import annotations

from asc_bench.api import Card, FusedSystem, Published

_CITATION = (
    "V. Abrol and P. Sharma, Learning hierarchy aware embedding from raw audio for acoustic scene classification, "
    "IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020, section V.A and Table IV"
)


class Proposed1(FusedSystem):
    """Hierarchical CNN and CNN-ensemble."""

    numerics_version = 1
    card = Card(
        name="proposed1",
        title="Hierarchical CNN + CNN-ensemble",
        citation=_CITATION,
        year=2020,
        input="stored predictions of hierarchical-cnn and cnn-ensemble",
        guesses=(
            "The paper says late fusion and no more: the mean of both. rule=stacking fits weights on validation "
            "predictions.",
        ),
        published=(Published("merged", "hierarchical_table4", {"system": "Proposed1"}),),
    )

    @property
    def members(self) -> tuple[str, ...]:
        """Two; the second is a fusion itself."""
        return ("hierarchical-cnn", "cnn-ensemble")


class Proposed2(FusedSystem):
    """Hierarchical CNN and CNN with i-vectors."""

    numerics_version = 1
    card = Card(
        name="proposed2",
        title="Hierarchical CNN + CNN/i-vec",
        citation=_CITATION,
        year=2020,
        input="stored predictions of hierarchical-cnn and cnn-ivector",
        guesses=Proposed1.card.guesses,
        published=(Published("merged", "hierarchical_table4", {"system": "Proposed2"}),),
    )

    @property
    def members(self) -> tuple[str, ...]:
        """Two systems."""
        return ("hierarchical-cnn", "cnn-ivector")
