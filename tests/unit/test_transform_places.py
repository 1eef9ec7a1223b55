"""Masks, rolling and excerpts: how much, along which axis, and from which random numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_bench.api import (
    Batch,
    ConfigError,
    Given,
    LogMel,
    RandomCrop,
    SpecAugment,
    SystemFailure,
    TimeRoll,
    TrainingPlan,
    VggishExamples,
    Waveform,
    caa_net_log_mel,
)
from asc_bench.training.transforms.places import rolled
from tests.unit.small_sets import TinyNet, context, tones

N, N_FRAMES, N_MELS = 4000, 40, 16
BANDS = Given(front_end=None, shape=(N_FRAMES, N_MELS), standardised=True)
SAMPLES = Given(front_end=Waveform(sample_rate_hz=100), shape=(20,))


@pytest.fixture
def ones() -> Batch:
    torch.manual_seed(1)
    return Batch(torch.ones(N, N_FRAMES, N_MELS))


def widths(lines: torch.Tensor) -> torch.Tensor:
    """Number of wholly masked lines of each example, from (n, lines, bins)."""
    return (lines == 0).all(dim=2).sum(dim=1).double()


def test_frequency_masks_cover_whole_bands_of_the_right_number(ones: Batch) -> None:
    """floor(u) with u uniform in [0, 5) has mean 2 and variance 2 (Park et al. 2019, section 2)."""
    masked = SpecAugment(frequency=5, time=0)(ones, BANDS).features
    n_bands = widths(masked.transpose(1, 2))
    assert set(n_bands.tolist()) == {0, 1, 2, 3, 4}
    assert n_bands.mean().item() == pytest.approx(2.0, abs=5 * (2 / N) ** 0.5)
    assert (masked == 0).sum().item() == n_bands.sum().item() * N_FRAMES


def test_time_masks_cover_whole_frames_of_the_right_number(ones: Batch) -> None:
    masked = SpecAugment(frequency=0, time=11)(ones, BANDS).features
    n_frames = widths(masked)
    assert n_frames.max().item() == 10
    assert n_frames.mean().item() == pytest.approx(5.0, abs=5 * (10 / N) ** 0.5)
    assert (masked == 0).sum().item() == n_frames.sum().item() * N_MELS


def test_a_share_is_one_of_the_axis(ones: Batch) -> None:
    torch.manual_seed(3)
    share = SpecAugment(frequency=0.25, time=0.5)(ones, BANDS).features
    torch.manual_seed(3)
    assert torch.equal(share, SpecAugment(frequency=4, time=20)(ones, BANDS).features)


def test_every_place_but_the_last_can_be_masked(ones: Batch) -> None:
    """The source draws the start from [0, length - width): a mask never reaches the last line."""
    masked = SpecAugment(frequency=5, time=11)(ones, BANDS).features == 0
    assert masked.all(dim=1).any(dim=0).tolist() == [True] * (N_MELS - 1) + [False]
    assert masked.all(dim=2).any(dim=0).tolist() == [True] * (N_FRAMES - 1) + [False]


def test_masks_differ_between_examples(ones: Batch) -> None:
    masked = SpecAugment(frequency=8, time=8)(replace(ones, features=ones.features[:20]), BANDS).features
    assert len({tuple(example.flatten().tolist()) for example in masked}) > 10


def test_counts_and_value(ones: Batch) -> None:
    """Two masks hide more than one; the value goes where they lie and nothing else changes."""
    once = SpecAugment(frequency=5, time=0, value=-3.0)(ones, BANDS).features
    twice = SpecAugment(frequency=5, time=0, n_frequency=2, value=-3.0)(ones, BANDS).features
    assert ((twice == -3) | (twice == 1)).all()
    assert (twice == -3).sum() > 1.5 * (once == -3).sum()
    none = SpecAugment(frequency=5, time=5, n_frequency=0, n_time=0)
    assert (none(ones, BANDS).features == 1).all() and (ones.features == 1).all()


def test_without_standardisation_masks_are_silence(ones: Batch) -> None:
    """``ln(0 + 1e-8)`` of the front end, not 0, which would be a loud sound."""
    given = replace(BANDS, front_end=caa_net_log_mel(), standardised=False)
    masked = SpecAugment()(ones, given).features
    np.testing.assert_allclose(sorted(set(masked.flatten().tolist())), [np.log(1e-8), 1.0], rtol=1e-6)
    assert "value must be given" in SpecAugment().why_not(replace(given, front_end=None))


@pytest.mark.parametrize(
    ("transform", "given", "message"),
    [
        (SpecAugment(), SAMPLES, "needs frames of frequency bands, and these are features of Waveform"),
        (SpecAugment(time=50), BANDS, "masks of up to 50 frames do not fit into 40"),
        (SpecAugment(frequency=17), BANDS, "masks of up to 17 bands do not fit into 16"),
        (TimeRoll(), BANDS, "needs time along the first axis at a known rate"),
        (TimeRoll(), Given(front_end=VggishExamples(), shape=(10, 96, 64)), "these are features of VggishExamples"),
        (TimeRoll(seconds=0.001), SAMPLES, "0.001 s are less than half a frame"),
        (RandomCrop(), SAMPLES, "excerpts of 1 s are 100 steps, and examples have 20"),
    ],
)
def test_what_does_not_fit_is_told(transform, given: Given, message: str) -> None:
    assert message in transform.why_not(given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpecAugment(time=-1), "specaugment: time is -1, must not be negative"),
        (lambda: SpecAugment(frequency=1.5), "frequency is 1.5, must be a whole number or a share below 1"),
        (lambda: TimeRoll(seconds=-1.0), "roll: seconds is -1.0, must be a number above 0"),
        (lambda: RandomCrop(seconds=float("inf")), "crop: seconds is inf"),
    ],
)
def test_wrong_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_rolling_is_numpys_roll_of_each_clip() -> None:
    for x in (torch.randn(3, 7, 2), torch.randn(3, 7)):
        for clip, step, whole in zip(rolled(x, torch.tensor([2, 0, -10])), (2, 0, -10), x, strict=True):
            np.testing.assert_array_equal(clip.numpy(), np.roll(whole.numpy(), step, axis=0))


def test_rolling_reaches_every_step_up_to_its_bound() -> None:
    """0.03 s at 100 Hz are 3 samples."""
    torch.manual_seed(1)
    batch = Batch(torch.arange(20.0).expand(400, 20))
    first = TimeRoll(seconds=0.03)(batch, SAMPLES).features[:, 0]
    steps = torch.where(first > 10, 20 - first, -first)
    assert sorted(set(steps.tolist())) == [-3, -2, -1, 0, 1, 2, 3]


def test_rolling_frames_is_rolling_samples_but_for_the_seam() -> None:
    """A shift by five hops of a white-noise clip, against its log-mel spectrogram shifted by five frames."""
    front_end = LogMel(
        sample_rate_hz=8_000, n_fft=512, window_length=512, hop_length=256, n_mels=20, fmin_hz=0, fmax_hz=4_000
    )
    wave = np.random.default_rng(0).normal(0, 0.1, 256 * 60).astype(np.float32)
    shifted = front_end(np.roll(wave, 5 * 256))
    frames = rolled(torch.from_numpy(front_end(wave))[None], torch.tensor([5]))[0].numpy()
    np.testing.assert_allclose(shifted[7:-2], frames[7:-2], atol=1e-4)


def test_excerpts_are_anywhere_in_the_clip_and_whole() -> None:
    """0.05 s at 100 Hz are 5 of 20 samples, from 16 places."""
    torch.manual_seed(0)
    cut = RandomCrop(seconds=0.05)(Batch(torch.arange(20.0).expand(600, 20)), SAMPLES).features
    assert cut.shape == (600, 5) and (cut.diff(dim=1) == 1).all()
    starts, counts = cut[:, 0].unique(return_counts=True)
    assert starts.tolist() == list(range(16)) and counts.min() > 15


def test_a_network_of_one_length_says_so(tmp_path: Path) -> None:
    """The layer after the flattening has weights for 20 frames."""

    class OneLength(TinyNet):
        def build(self):
            from torch import nn

            return nn.Sequential(nn.Flatten(), nn.Linear(20 * 12, 3))

    plan = TrainingPlan(batch_size=4, iterations=1, augment=(RandomCrop(seconds=0.3),))
    with pytest.raises(SystemFailure, match=r"crop: the network does not take examples of shape \(10, 12\)"):
        OneLength(plan).fit(tones(4, (20, 12)), None, context(tmp_path))
    TinyNet(plan).fit(tones(4, (20, 12)), None, context(tmp_path / "any"))


def test_torchaudio_comes_in_without_its_extension() -> None:
    """Twice the same module, and filters that would use the extension work without it."""
    from asc_bench.features.torchaudio_import import torchaudio

    assert torchaudio() is torchaudio()
    impulse = torch.tensor([1.0, 0.0, 0.0])
    decay = torchaudio().functional.lfilter(impulse, torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0.0]))
    assert decay.tolist() == [1.0, 0.5, 0.25]
