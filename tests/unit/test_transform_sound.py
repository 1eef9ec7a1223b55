"""Gain and device responses, against numpy, scipy and the front end itself."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy import signal
from scipy.stats import kstest

from asc_bench.api import (
    Batch,
    ConfigError,
    DeviceResponse,
    Gain,
    Given,
    LevelledLogMel,
    LogMel,
    SimulatedResponse,
    TrainingPlan,
    Waveform,
    caa_net_log_mel,
)
from asc_bench.training.transforms.sound import convolved, louder, simulated_response
from tests.unit.small_sets import TinyNet, context, waves

RATE = 8_000
SAMPLES = Given(front_end=Waveform(sample_rate_hz=RATE), shape=(RATE,), devices=("A", "B"))
MEL = LogMel(
    sample_rate_hz=RATE,
    n_fft=512,
    window_length=512,
    hop_length=256,
    n_mels=20,
    fmin_hz=0,
    fmax_hz=4_000,
    floor=1e-5,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32))


def test_gains_are_uniform_in_decibels() -> None:
    torch.manual_seed(0)
    x = noise(2_000, 3)
    gains = (Gain(db=6.0)(Batch(x), SAMPLES).features / x).numpy()
    np.testing.assert_allclose(gains, np.broadcast_to(gains[:, :1], gains.shape), rtol=1e-5)
    assert kstest(20 * np.log10(gains[:, 0]), "uniform", args=(-6, 12)).pvalue > 0.01


@pytest.mark.parametrize("log", ["ln", "log10", "db"])
@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("gain", [0.05, 0.5, 4.0])
def test_louder_bands_are_those_of_the_louder_clip(log, power: float, gain: float) -> None:
    front_end = replace(MEL, log=log, power=power)
    wave = noise(RATE).numpy() * np.linspace(0, 1, RATE, dtype=np.float32) ** 4
    wave[: RATE // 4] = 0.0
    got = louder(torch.from_numpy(front_end(wave))[None], torch.tensor([[[gain]]]), front_end)[0].numpy()
    np.testing.assert_allclose(got, front_end(np.float32(gain) * wave), atol=2e-4 * (10 if log == "db" else 1))


def test_gain_comes_before_standardisation_and_knows_where_it_cannot_be_computed() -> None:
    assert Gain.raw and DeviceResponse.raw and SimulatedResponse.raw
    assert Gain().why_not(Given(front_end=caa_net_log_mel(), shape=(320, 64))) == ""
    clipped = Gain().why_not(Given(front_end=replace(MEL, floor_by="clip"), shape=(32, 20)))
    assert "cut off at a floor" in clipped
    levelled = LevelledLogMel(**asdict(MEL))
    assert "cannot be computed from features of LevelledLogMel" in Gain().why_not(
        Given(front_end=levelled, shape=(32, 20))
    )


def test_a_response_is_convolved_in_full_and_cut() -> None:
    x, responses = noise(3, 500), noise(3, 70, seed=1)
    for got, clip, response in zip(convolved(x, responses).numpy(), x.numpy(), responses.numpy(), strict=True):
        expected = signal.fftconvolve(clip.astype(np.float64), response, mode="full")[:500]
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two responses: a delay of three samples at the clips' rate, and a gain of a half at twice the rate."""
    delay = np.zeros(8)
    delay[3] = 0.99
    soundfile.write(tmp_path / "a.wav", delay, RATE, subtype="FLOAT")
    half = np.zeros(64)
    half[32] = 0.5
    soundfile.write(tmp_path / "b.WAV", half, 2 * RATE, subtype="FLOAT")
    (tmp_path / "readme.txt").write_text("no response")
    return tmp_path


def test_clips_of_the_named_devices_alone_are_filtered(folder: Path) -> None:
    transform = DeviceResponse(folder=str(folder), devices="A", p=1.0)
    assert [path.name for path in transform.files()] == ["a.wav", "b.WAV"]
    x = noise(40, 200)
    names = np.array(["A", "B"] * 20)
    torch.manual_seed(0)
    got = transform(Batch(x, device_names=names), SAMPLES).features
    assert torch.equal(got[1::2], x[1::2])
    delayed = torch.nn.functional.pad(x, (3, 0))[:, :200] * 0.99
    same = [torch.allclose(a, b, atol=1e-6) for a, b in zip(got[::2], delayed[::2], strict=True)]
    assert 4 <= sum(same) <= 16, "the other response is drawn half of the time"


def test_the_rate_of_a_response_is_brought_to_that_of_the_clips(folder: Path) -> None:
    (folder / "a.wav").unlink()
    transform = DeviceResponse(folder=str(folder), devices="all", p=1.0)
    assert not transform.reads_device
    (response,) = transform.responses(RATE).numpy()
    assert int(np.argmax(response)) == 16 and len(response) == 32


def test_a_share_of_the_clips_is_filtered() -> None:
    x = noise(1_000, 20)
    torch.manual_seed(0)
    got = SimulatedResponse(devices="all", p=0.3)(Batch(x), SAMPLES).features
    n_changed = int((got != x).any(dim=1).sum())
    assert 255 <= n_changed <= 345
    batch = Batch(x)
    assert SimulatedResponse(devices="all", p=0.0)(batch, SAMPLES) is batch


def test_simulated_responses_have_the_levels_that_were_drawn() -> None:
    """At the octaves, as scipy measures them; their mean over the octaves is 0 dB, their deviation as stated."""
    octaves_hz = 31.25 * 2.0 ** np.arange(10)
    levels = []
    for number in range(200):
        response = simulated_response(number, 6.0, 44_100)
        _, spectrum = signal.freqz(response, worN=octaves_hz, fs=44_100)
        levels.append(20 * np.log10(np.abs(spectrum)))
        if number < 3:
            assert np.argmax(np.abs(response)) < 20, "a filter of minimum phase has no delay"
    found = np.array(levels)
    # Below 250 Hz a filter of 23 ms cannot follow the curve.
    middle = found[:, 4:9]
    assert abs(middle.mean()) < 0.6
    assert middle.std() == pytest.approx(6.0 * 0.9**0.5, abs=0.6)
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize(
    ("transform", "given", "message"),
    [
        (SimulatedResponse(), Given(front_end=MEL, shape=(32, 20)), "filters the waveform, and the network reads"),
        (SimulatedResponse(devices="b"), SAMPLES, "no training clip was recorded with a device 'b'"),
        (SimulatedResponse(), replace(SAMPLES, devices=()), "devices=all filters every clip"),
        (DeviceResponse(), SAMPLES, "needs folder=DIRECTORY"),
        (DeviceResponse(folder="/nowhere"), SAMPLES, "there is no WAV file in the folder /nowhere"),
    ],
)
def test_what_does_not_fit_is_told(transform, given: Given, message: str) -> None:
    assert message in transform.why_not(given)
    assert SimulatedResponse(devices="A+B").why_not(SAMPLES) == ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gain(db=0.0), "gain: db is 0.0, must be a number above 0"),
        (lambda: SimulatedResponse(p=2.0), "simulated-response: p is 2.0"),
        (lambda: SimulatedResponse(n=0), "n is 0, must be a number above 0"),
        (lambda: DeviceResponse(devices="+"), r"device-response: devices is '\+'; name one or several"),
    ],
)
def test_wrong_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_broken_response_is_named(folder: Path) -> None:
    (folder / "a.wav").write_bytes(b"RIFF nonsense")
    with pytest.raises(ConfigError, match=r"device-response: .*a\.wav"):
        DeviceResponse(folder=str(folder)).responses(RATE)


class TinyWave(TinyNet):
    """A network on samples."""

    def front_end(self):
        return Waveform(sample_rate_hz=RATE)

    def build(self):
        from torch import nn

        from asc_bench.modules.conv import AddChannel

        pooled = nn.AdaptiveAvgPool1d(1)
        return nn.Sequential(AddChannel(), nn.Conv1d(1, 4, 9), pooled, nn.Flatten(), nn.Linear(4, 3))


def test_a_resumed_training_repeats_the_responses(folder: Path) -> None:
    """Device B is never filtered; without the responses the weights would be others."""
    train = waves(6, 400)
    train = replace(train, device_names=np.array(["A", "B", "A"] * 6))
    responses = (DeviceResponse(folder=str(folder), p=0.8), Gain())
    plan = TrainingPlan(batch_size=6, epochs=6, learning_rate=0.01, standardise="global", augment=responses)

    def stop(done: float, message: str) -> None:
        if done >= 0.5:
            raise InterruptedError

    def trained(name: str, with_plan: TrainingPlan) -> torch.Tensor:
        (folder / name).mkdir(exist_ok=True)
        system = TinyWave(with_plan)
        system.fit(train, None, context(folder / name))
        return torch.cat([p.detach().flatten() for p in system.module.parameters()])

    straight = trained("straight", plan)
    (folder / "cut").mkdir()
    with pytest.raises(InterruptedError):
        TinyWave(plan).fit(train, None, context(folder / "cut", progress=stop))
    assert torch.equal(trained("cut", plan), straight)
    assert not torch.equal(trained("without", replace(plan, augment=())), straight)
