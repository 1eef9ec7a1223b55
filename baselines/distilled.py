"""Any neural system that learns from other systems, as those of CP-JKU do since DCASE 2022."""

from __future__ import annotations

from typing import ClassVar

from asc_bench.api import Card, DistilledParams, DistilledSystem, Params


class Distilled(DistilledSystem):
    """A student that learns from the labels and from the mean of its teachers' logits: ``asc-bench distil``."""

    numerics_version = 1
    card = Card(
        name="distilled",
        title="Knowledge distillation",
        citation="F. Schmid, T. Morocutti, S. Masoudian, K. Koutini and G. Widmer, Distilling the knowledge of "
        "transformers and CNNs with CP-Mobile, DCASE Workshop 2023; code: github.com/fschmid56/cpjku_dcase23; "
        "after G. Hinton, O. Vinyals and J. Dean, Distilling the knowledge in a neural network, arXiv 1503.02531",
        year=2023,
        input="that of the student; the teachers' own",
        guesses=(
            "The teachers' logits are the logarithms of their predicted probabilities, of networks and of all "
            "other systems, averaged over the teachers. Logarithms of a softmax are its logits but for a constant "
            "for each clip, which the softmax of the loss takes out again; of a system that predicts from several "
            "excerpts they are those of the mean.",
            "The distillation loss is averaged over the classes too, as in the source, so that its weight beside "
            "the label loss depends on how many there are.",
            "logits=in-sample is the source's way. cross-fitted groups the training clips by recording location "
            "(stratified by scene) and trains each teacher once without each group.",
            "Logits are those of whole, unchanged clips, whatever changes of the sound, excerpts and rolls the "
            "student is trained on, as in the source; mixup blends them by the share of the clips.",
            "A run has the seed of the student's own run: both begin with the same weights and batches.",
            "The feature loss that one team added in 2025, with weight 0.1, is left out.",
        ),
    )
    Params: ClassVar[type[Params]] = DistilledParams
    params: DistilledParams
