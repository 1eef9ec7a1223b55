"""Masking: how much, along which axis, and from which random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asc_bench.errors import ConfigError
from asc_bench.features.augment import SpecMask

if TYPE_CHECKING:
    import torch

N, N_FRAMES, N_MELS = 4000, 40, 16


@pytest.fixture
def ones() -> torch.Tensor:
    import torch

    torch.manual_seed(1)
    return torch.ones(N, 1, N_FRAMES, N_MELS)


def widths(lines: torch.Tensor) -> torch.Tensor:
    """Number of wholly masked lines of each example, from (n, lines, bins)."""
    return (lines == 0).all(dim=2).sum(dim=1).double()


def test_frequency_masks_cover_whole_bands_of_the_right_number(ones: torch.Tensor) -> None:
    """floor(u) with u uniform in [0, 5) has mean 2 and variance 2 (Park et al. 2019, section 2)."""
    masked = SpecMask(frequency_width=5, time_width=0)(ones)[:, 0]
    n_bands = widths(masked.transpose(1, 2))
    assert set(n_bands.tolist()) == {0, 1, 2, 3, 4}
    assert n_bands.mean().item() == pytest.approx(2.0, abs=5 * (2 / N) ** 0.5)
    assert (masked == 0).sum().item() == n_bands.sum().item() * N_FRAMES


def test_time_masks_cover_whole_frames_of_the_right_number(ones: torch.Tensor) -> None:
    masked = SpecMask(frequency_width=0, time_width=11)(ones)[:, 0]
    n_frames = widths(masked)
    assert n_frames.max().item() == 10
    assert n_frames.mean().item() == pytest.approx(5.0, abs=5 * (10 / N) ** 0.5)
    assert (masked == 0).sum().item() == n_frames.sum().item() * N_MELS


def test_every_place_but_the_last_can_be_masked(ones: torch.Tensor) -> None:
    """The source draws the start from [0, length - width): a mask never reaches the last line."""
    masked = SpecMask(frequency_width=5, time_width=11)(ones)[:, 0] == 0
    assert masked.all(dim=1).any(dim=0).tolist() == [True] * (N_MELS - 1) + [False]
    assert masked.all(dim=2).any(dim=0).tolist() == [True] * (N_FRAMES - 1) + [False]


def test_masks_differ_between_examples(ones: torch.Tensor) -> None:
    masked = SpecMask(frequency_width=8, time_width=8)(ones[:20])
    assert len({tuple(example.flatten().tolist()) for example in masked}) > 10


def test_counts_and_value(ones: torch.Tensor) -> None:
    """Two masks hide more than one; the value goes where they lie and nothing else changes."""
    once = SpecMask(frequency_width=5, time_width=0, n_frequency=1, value=-3.0)(ones)
    twice = SpecMask(frequency_width=5, time_width=0, n_frequency=2, value=-3.0)(ones)
    assert ((twice == -3) | (twice == 1)).all()
    assert (twice == -3).sum() > 1.5 * (once == -3).sum()
    assert (SpecMask(frequency_width=5, time_width=5, n_frequency=0, n_time=0)(ones) == 1).all()


def test_three_and_four_axes_agree_and_the_batch_is_left_alone(ones: torch.Tensor) -> None:
    import torch

    mask = SpecMask(frequency_width=5, time_width=11)
    torch.manual_seed(3)
    four = mask(ones)
    torch.manual_seed(3)
    three = mask(ones[:, 0])
    assert torch.equal(four[:, 0], three)
    assert four.shape == ones.shape
    assert (ones == 1).all()
    assert not torch.equal(mask(ones), four), "the next draw must be another one"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 2, 40, 16), r"\(4, 2, 40, 16\) is neither"),
        ((40, 16), "neither"),
        ((4, 10, 16), "do not fit into 10 frames"),
    ],
)
def test_wrong_batches_are_refused(shape: tuple[int, ...], message: str) -> None:
    import torch

    with pytest.raises(ConfigError, match=message):
        SpecMask(frequency_width=5, time_width=11)(torch.zeros(shape))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="time_width is -1"):
        SpecMask(frequency_width=5, time_width=-1)


def test_torchaudio_comes_in_without_its_extension() -> None:
    """Twice the same module, and filters that would use the extension work without it."""
    import torch

    from asc_bench.features.torchaudio_import import torchaudio

    assert torchaudio() is torchaudio()
    impulse = torch.tensor([1.0, 0.0, 0.0])
    decay = torchaudio().functional.lfilter(impulse, torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0.0]))
    assert decay.tolist() == [1.0, 0.5, 0.25]
