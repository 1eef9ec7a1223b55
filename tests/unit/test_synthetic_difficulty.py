"""What synthetic datasets are for: locations and devices matter as they do in recordings."""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np
import pytest
from scipy import fft
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from asc_bench.data.devices.devices import apply_device
from asc_bench.synthetic import synthesise_scene
from asc_bench.synthetic.recipes import scenes

RATE_HZ = 44100
N_LOCATIONS, N_TRAIN, N_SEGMENTS = 9, 6, 3
DEVICES = ("a", "b", "c")


@dataclass(frozen=True)
class World:
    """Features by (scene, location, segment, device) and scene index by (scene, location, segment)."""

    features: np.ndarray
    scene: np.ndarray

    def of(self, device: str, part: slice) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.features[:, part, :, DEVICES.index(device)]
        return chosen.reshape(-1, chosen.shape[-1]), self.scene[:, part].reshape(-1)


TRAIN, TEST = slice(0, N_TRAIN), slice(N_TRAIN, N_LOCATIONS)


@pytest.fixture(scope="module")
def world() -> World:
    bank = librosa.filters.mel(sr=RATE_HZ, n_fft=2048, n_mels=64).astype(np.float32)
    window = np.hanning(2048).astype(np.float32)

    def statistics(wave: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(wave, 2048)[::1024] * window
        log_mel = np.log(np.abs(fft.rfft(frames, axis=1)) ** 2 @ bank.T + 1e-10)
        return np.concatenate([log_mel.mean(0), log_mel.std(0)])

    features = np.empty((len(scenes()), N_LOCATIONS, N_SEGMENTS, len(DEVICES), 128))
    for s, scene in enumerate(sorted(scenes())):
        for location in range(N_LOCATIONS):
            for segment in range(N_SEGMENTS):
                clean = synthesise_scene(scene, location_seed=location, clip_seed=segment, duration_s=5.0)
                for d, device in enumerate(DEVICES):
                    rng = np.random.default_rng([s, location, segment, d])
                    heard = apply_device(clean, sample_rate_hz=RATE_HZ, device=device, rng=rng)
                    features[s, location, segment, d] = statistics(heard)
    scene_index = np.broadcast_to(np.arange(len(scenes()))[:, None, None], features.shape[:3])
    return World(features, scene_index)


def _accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Scenes are balanced everywhere here, so that this is the macro accuracy."""
    system = make_pipeline(StandardScaler(), SVC(kernel="rbf", C=10)).fit(*train)
    return float(np.mean(system.predict(test[0]) == test[1]))


@pytest.mark.slow
def test_a_simple_system_does_well_and_not_perfectly(world: World) -> None:
    assert 0.6 < _accuracy(world.of("a", TRAIN), world.of("a", TEST)) < 0.92


def test_new_locations_are_harder_than_a_random_split(world: World) -> None:
    features, scene = world.of("a", slice(None))
    n_train = N_TRAIN * N_SEGMENTS * len(scenes())
    disjoint, random = [], []
    for draw in range(4):
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(scene))
        left, right = order[:n_train], order[n_train:]
        random.append(_accuracy((features[left], scene[left]), (features[right], scene[right])))
        in_train = np.zeros((len(scenes()), N_LOCATIONS), dtype=bool)
        for row in in_train:
            row[rng.permutation(N_LOCATIONS)[:N_TRAIN]] = True
        chosen = np.repeat(in_train.ravel(), N_SEGMENTS)
        disjoint.append(_accuracy((features[chosen], scene[chosen]), (features[~chosen], scene[~chosen])))
    assert np.mean(random) > np.mean(disjoint) + 0.05


def test_a_system_trained_on_device_a_drops_on_b_and_c(world: World) -> None:
    train = world.of("a", TRAIN)
    on_a, on_b, on_c = (_accuracy(train, world.of(device, TEST)) for device in DEVICES)
    assert on_b < on_a - 0.15
    assert on_c < on_a - 0.15


def test_a_few_clips_of_the_other_devices_help(world: World) -> None:
    only_a = world.of("a", TRAIN)
    rare = world.features[:, :3, :1, 1:]
    rare_scene = np.broadcast_to(np.arange(len(scenes()))[:, None, None, None], rare.shape[:4])
    mixed = (
        np.concatenate([only_a[0], rare.reshape(-1, rare.shape[-1])]),
        np.concatenate([only_a[1], rare_scene.reshape(-1)]),
    )
    for device in ("b", "c"):
        test = world.of(device, TEST)
        assert _accuracy(mixed, test) > _accuracy(only_a, test) + 0.05
