"""Any frozen encoder and a logistic regression: the linear evaluation of pre-trained networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from asc_bench.api import Card, LinearSystem, Params

from ._encoder_based import GUESSES, EncoderBased, EncoderParams


@dataclass(frozen=True, kw_only=True)
class EmbeddingLinearParams(EncoderParams):
    """See ``EncoderParams``."""

    system: ClassVar[str] = "embedding-linear"


class EmbeddingLinear(EncoderBased, LinearSystem):
    """A frozen encoder and a multinomial logistic regression; the same at every budget."""

    numerics_version = 1
    card = Card(
        name="embedding-linear",
        title="Embedding + logistic regression",
        citation="J. Turian et al., HEAR: Holistic evaluation of audio representations, Proceedings of Machine "
        "Learning Research 176, 2022, for the idea; the classifier is plainer",
        year=2022,
        input="waveform at the encoder's rate",
        guesses=(
            "Standardised by the training clips, an L2 penalty with C of 0.001 to 10 in decades by the log-loss of "
            "5-fold cross-validation on the training clips, those of one location in one fold.",
            *GUESSES,
        ),
    )
    Params: ClassVar[type[Params]] = EmbeddingLinearParams
    params: EmbeddingLinearParams
