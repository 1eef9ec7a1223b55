"""Late fusion of any systems: mean, product or ranks of their stored probabilities, or a logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from asc_bench.api import Card, ConfigError, FusedSystem, Params, RuleParams

SEPARATOR = "+"


@dataclass(frozen=True, kw_only=True)
class FusionParams(RuleParams):
    """What is fused, and how.

    Attributes
    ----------
    members : str
        Two systems or more, such as ``sb-cnn+caa-net[training=joint]``. Their order does not matter.
    rule : {"mean", "product", "rank", "stacking"}
        Mean of the probabilities, their geometric mean, the mean rank of each class, or a logistic regression with
        one scale for each member and an offset for each class, fitted on validation predictions.
    """

    members: str = ""

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise ConfigError(
                f"fusion needs two different systems at least, such as members=sb-cnn{SEPARATOR}caa-net; "
                f"got {self.members!r}"
            )
        object.__setattr__(self, "members", SEPARATOR.join(sorted(names)))

    @property
    def names(self) -> list[str]:
        """The members, each as ``name[param=value]``."""
        depth, names = 0, [""]
        for character in self.members:
            depth += (character == "[") - (character == "]")
            if character == SEPARATOR and not depth:
                names.append("")
            else:
                names[-1] += character
        return [name.strip() for name in names if name.strip()]


class Fusion(FusedSystem):
    """A fusion that is put together on the command line: ``asc-bench fuse``."""

    numerics_version = 1
    card = Card(
        name="fusion",
        title="Late fusion",
        citation="J. Kittler, M. Hatef, R. P. W. Duin and J. Matas, On combining classifiers, IEEE Transactions on "
        "Pattern Analysis and Machine Intelligence 20(3), 1998 (mean and product); D. H. Wolpert, Stacked "
        "generalization, Neural Networks 5(2), 1992 (stacking)",
        year=1998,
        input="stored predictions of other systems",
        guesses=("Ranks: the mean of each class's rank over the members (Borda count).",),
    )
    Params: ClassVar[type[Params]] = FusionParams
    params: FusionParams

    @property
    def members(self) -> tuple[str, ...]:
        """As the settings name them."""
        return tuple(self.params.names)
