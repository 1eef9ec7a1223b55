"""Any neural system, fine-tuned for each recording device, as the baseline of DCASE 2025 is."""

from __future__ import annotations

from typing import ClassVar

from asc_bench.api import Card, DeviceSpecificParams, DeviceSpecificSystem, Params, Published


class DeviceSpecific(DeviceSpecificSystem):
    """A general network, and a copy of it for each device that is known, fine-tuned on the clips of that device."""

    numerics_version = 1
    card = Card(
        name="device-specific",
        title="Device-specific models",
        citation="F. Schmid et al., Low-complexity acoustic scene classification with device information in the "
        "DCASE 2025 challenge, arXiv 2505.01747, 2025; code: github.com/CPJKU/dcase2025_task1_baseline",
        year=2025,
        input="that of the system which is fine-tuned",
        guesses=(
            "Of systems other than the baseline of 2025 the same shares: a third of the passes, a tenth of the "
            "rate, a tenth of the warm-up steps but half of all steps at most, no Freq-MixStyle.",
            "Where a plan counts iterations, a device has its share of a third of them, one at least.",
            "Weights, statistics and all else come from the general network; each device's copy starts from it, "
            "with a new optimiser.",
            "A system that chooses its weights on validation clips chooses those of a device on the device's.",
            "Parameters are those of all networks, multiply-adds those of the one that predicts a clip; the limits "
            "of 2025 hold each network by itself.",
        ),
        published=(
            Published(
                "dcase2025",
                "dcase_mobile_baselines",
                {"protocol": "dcase2025", "system": "DCASE 2025 baseline, device-specific models"},
                when={"of": "dcase2025-baseline", "rate": "0.1", "length": "0.333"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = DeviceSpecificParams
    params: DeviceSpecificParams
