"""How a trained network is trained further on the clips of one recording device."""

from __future__ import annotations

from dataclasses import replace

from asc_bench.training.plan import MOST_WARMUP, Cosine, Step, TrainingPlan
from asc_bench.training.transforms.blends import FreqMixStyle


def fine_tuning(
    plan: TrainingPlan, *, n_clips: int, n_of_device: int, rate: float = 0.1, length: float = 0.333
) -> TrainingPlan:
    """The plan of the fine-tuning on one device's clips, from that of the general network.

    Parameters
    ----------
    plan : TrainingPlan
        Of the general network.
    n_clips, n_of_device : int
        Training clips in all, and of the device.
    rate : float
        Share of the learning rate; a warm-up takes this share of its steps, and half of all steps at most.
    length : float
        Share of the passes over the clips: of the epochs, or of the steps in proportion to the device's clips.

    Notes
    -----
    Freq-MixStyle, which gives clips the sound of other clips' devices, is left out. In the source
    (https://github.com/CPJKU/dcase2025_task1_baseline, train_device_specific.py) 150 epochs at 0.005 with 2,000
    steps of warm-up become 50 at 0.0005 with 200, and the rest stays.
    """
    if plan.epochs is not None:
        share = length
        changed = replace(plan, epochs=max(1, round(length * plan.epochs)))
    else:
        assert plan.iterations is not None
        share = length * n_of_device / n_clips
        changed = replace(plan, iterations=max(1, round(share * plan.iterations)))
    before, now = plan.n_steps(n_clips), changed.n_steps(n_of_device)
    schedule = plan.schedule
    if isinstance(schedule, Cosine):
        n_warm = rate * schedule.warmup_steps or rate * schedule.warmup * before
        # Half at most: 200 of the 400 steps that the source takes on its rarest devices.
        schedule = replace(schedule, warmup=min(n_warm / now, MOST_WARMUP), warmup_steps=0)
    elif isinstance(schedule, Step):
        schedule = replace(schedule, every=max(1, round(schedule.every * now / before)))
    return replace(
        changed,
        learning_rate=rate * plan.learning_rate,
        schedule=schedule,
        augment=tuple(t for t in plan.augment if not isinstance(t, FreqMixStyle)),
        validate_after=round(share * plan.validate_after),
    )
