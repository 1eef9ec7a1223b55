"""CNN-ensemble: nine networks on three representations in three divisions along time (DCASE 2018)."""

from __future__ import annotations

from asc_bench.api import Card, FusedSystem, Published

FEATURES = ("logmel", "harmonic", "percussive")
DIVISIONS = ("whole", "half", "quarter")


class CnnEnsemble(FusedSystem):
    """The mean of nine members, each a run of its own; other fusions share them."""

    numerics_version = 1
    card = Card(
        name="cnn-ensemble",
        title="CNN-ensemble",
        citation="Y. Sakashita and M. Aono, Acoustic scene classification by ensemble of spectrograms based on "
        "adaptive temporal divisions, DCASE 2018 Challenge, technical report",
        year=2018,
        input="stored predictions of nine cnn-ensemble-member",
        guesses=(
            "No code was at hand. Nine members: log-mel, harmonic and percussive spectrograms, each in three "
            "divisions along time; see cnn-ensemble-member.",
            "The members count alike (rule=mean).",
        ),
        published=(Published("merged", "hierarchical_table4", {"system": "CNN-ensemble"}),),
    )

    @property
    def members(self) -> tuple[str, ...]:
        """Nine variants of one system."""
        return tuple(
            f"cnn-ensemble-member[features={features},division={division}]"
            for features in FEATURES
            for division in DIVISIONS
        )
