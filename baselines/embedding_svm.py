"""Any frozen encoder and a support vector machine, as the literature compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from asc_bench.api import Card, Params, SvmSystem

from ._encoder_based import GUESSES, EncoderBased, EncoderParams


@dataclass(frozen=True, kw_only=True)
class EmbeddingSvmParams(EncoderParams):
    """See ``EncoderParams``."""

    system: ClassVar[str] = "embedding-svm"


class EmbeddingSvm(EncoderBased, SvmSystem):
    """A frozen encoder and a polynomial SVM of degree 3 with calibrated probabilities; the same at every budget."""

    numerics_version = 2
    card = Card(
        name="embedding-svm",
        title="Embedding + SVM",
        citation="no publication: the classifier that V. Abrol and P. Sharma (2020) put on VGGish",
        year=2020,
        input="waveform at the encoder's rate",
        guesses=(
            "The SVM is that of vggish-svm: standardised by the training clips, degree 3, coefficient 1, C by "
            "5-fold cross-validation on the training clips.",
            *GUESSES,
        ),
    )
    Params: ClassVar[type[Params]] = EmbeddingSvmParams
    params: EmbeddingSvmParams
