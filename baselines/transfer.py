"""Transfer of any neural system to another task, as in Abrol and Sharma's Table V: ``asc-bench transfer``."""

from __future__ import annotations

from typing import ClassVar

from asc_bench.api import Card, Params, TransferParams, TransferredSystem


class Transfer(TransferredSystem):
    """A system that was trained on another task, fine-tuned or as a frozen embedding; or trained from scratch."""

    numerics_version = 1
    card = Card(
        name="transfer",
        title="Transfer",
        citation="V. Abrol and P. Sharma, Learning hierarchy aware embedding from raw audio for acoustic scene "
        "classification, IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020, section V.B",
        year=2020,
        input="that of the system which is transferred",
        guesses=(
            "Fine-tuning trains the classification layer, as the paper says: every tensor whose shape depends on "
            "the number of classes; the rest is frozen and computes as at test. layers=all trains everything, at a "
            "tenth of the system's rate.",
            "Input is standardised as it was for the source; from scratch, by the target's training split.",
            "With one label a clip, retraining and fine-tuning keep the system's own heads, losses and schedule. "
            "With several, a linear layer with sigmoids on the embedding takes their place, for all four variants, "
            "and binary cross-entropy that of the losses, penalties of the system's own included.",
            "Several labels: a segment of 1 s is scored from a window of 2 s about its middle (window_s; systems "
            "that train on excerpts take their length). Trained on windows at random, each with all labels of its "
            "clip; a clip scores the mean of its windows. pooling=attention and pooling=noisy-or score whole clips "
            "instead (multiple instances).",
            "Thresholds, where there are several labels: one for segments and one for clips, over all classes, the "
            "best micro F-score on validation clips cut from the training clips, whose segments are held to have "
            "all labels of their clip.",
            "Fine-tuning the classification layer there trains it on embeddings of the windows: Adam (0.001, "
            "cosine to 0), 32 clips a step, 10,000 steps for paper, 2,000 for quick, 200 for smoke.",
            "lr: the semantic autoencoder's closed form, then softmax or sigmoids with tied weights; the paper "
            "gives no equation (Sharma, Abrol and Thakur, Interspeech 2018, describe a linear symmetric one).",
            "svm: polynomial kernel of degree 3, cost by cross-validation in the training split; one against the "
            "rest where there are several labels.",
            "If source and target are divided into the same folds, each starts from the source's fold of the same "
            "name; else from the source's first.",
        ),
    )
    Params: ClassVar[type[Params]] = TransferParams
    params: TransferParams
