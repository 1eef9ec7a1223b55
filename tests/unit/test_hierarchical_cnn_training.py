"""Training examples of the hierarchical CNN: random windows, silence, attention's gradient, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.proposed.hierarchical_cnn import HierarchicalCnn, HierarchicalCnnParams

from asc_bench.api import COARSE, FINE, Budget, Clips, Context, Features, LabelledClips, LabelSpace, Task
from asc_bench.modules.inputs import random_windows
from asc_bench.training.batches import Batch
from asc_bench.training.sampling import torch_seed

LABELS = LabelSpace.from_map({"low": "tone", "high": "tone", "white": "noise", "clicks": "noise"})
RATE_HZ = 16_000


def system(**settings: str) -> HierarchicalCnn:
    return HierarchicalCnn(Task(LABELS, (), 5.0), HierarchicalCnnParams(**settings), Budget.SMOKE)  # type: ignore[arg-type]


def places_of(windows: torch.Tensor, waveform: torch.Tensor) -> list[int]:
    """Where each window of one clip lies in it, by its first sample; samples are all different."""
    return [int((waveform == window[0]).nonzero()) for window in windows]


def noise(n: int, n_samples: int) -> torch.Tensor:
    """Different samples all over."""
    return torch.from_numpy(np.random.default_rng(0).permutation(n * n_samples).reshape(n, n_samples) / 1e4 - 1.0)


def test_windows_are_excerpts_at_different_places_in_order() -> None:
    x = noise(3, 500)
    torch.manual_seed(0)
    seen = set()
    for _ in range(600):
        drawn = random_windows(x, length=200, n=2)
        assert drawn.shape == (3, 2, 200)
        for windows, clip in zip(drawn, x, strict=True):
            first, second = places_of(windows, clip)
            assert first < second and (second - first) % 10 == 0
            for start, window in ((first, windows[0]), (second, windows[1])):
                assert torch.equal(window, clip[start : start + 200])
            seen |= {first, second}
    # Every place from the first to the last sample at which a window may begin, but for a few by chance.
    assert min(seen) == 0 and max(seen) == 300 and len(seen) > 290


def test_the_draw_depends_on_the_seed_alone() -> None:
    x = noise(4, 500)

    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return random_windows(x, length=200, n=2)

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))


def test_no_window_is_silent_as_long_as_there_are_others() -> None:
    """Heard is a window that holds 30 dB of the loudest one: of the event, 20 samples of 500, more than 0.02."""
    x = 1e-3 * noise(2, 500) + 0.7
    x[0, 300:320] += noise(1, 20)[0] * 1e3
    torch.manual_seed(0)
    loudest = max(float(x[0, s : s + 200].var(correction=0)) for s in range(301))
    starts = set()
    for _ in range(100):
        windows = random_windows(x, length=200, n=2)
        assert all(float(w.var(correction=0)) > loudest / 1_100 for w in windows[0])
        starts |= {s for s in range(301) for w in windows[0] if torch.equal(w, x[0, s : s + 200])}
        assert len(windows[1]) == 2  # quiet all over, and therefore nowhere quieter than elsewhere
    assert min(starts) > 100 and max(starts) > 280


@pytest.mark.parametrize(
    ("n_samples", "n", "expected"),
    [(200, 2, (1, 200)), (150, 2, (1, 150)), (205, 2, (1, 200)), (500, 40, (31, 200)), (219, 3, (2, 200))],
)
def test_short_clips_have_fewer_windows(n_samples: int, n: int, expected: tuple[int, int]) -> None:
    torch.manual_seed(0)
    found = {tuple(random_windows(noise(2, n_samples), length=200, n=n).shape[1:]) for _ in range(20)}
    assert max(found) == expected and all(shape[1] == expected[1] for shape in found)


def test_silence_throughout_is_drawn_from_and_has_a_finite_gradient() -> None:
    one = system()
    module = one.build().train()
    labels = {FINE: torch.tensor([0, 3]), COARSE: torch.tensor([0, 1])}
    batch = Batch(torch.zeros(2, 5 * RATE_HZ), labels)
    loss = one.loss(one.forward(module, batch), batch)
    loss.backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert loss.isfinite() and len(gradients) > 10 and all(g.isfinite().all() for g in gradients)


def clips(n: int, seed: int) -> LabelledClips:
    """5 s each of a low tone, a high tone, noise or clicks, in the first, second or last 2 s of silence."""
    rng = np.random.default_rng(seed)
    fine = np.arange(n) % 4
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    x = np.zeros((n, 5 * RATE_HZ), dtype=np.float32)
    for row, label in zip(x, fine, strict=True):
        made = {
            0: np.sin(2 * np.pi * 400 * t),
            1: np.sin(2 * np.pi * 5_000 * t),
            2: rng.standard_normal(t.size),
            3: 20.0 * (rng.random(t.size) < 0.002),
        }[int(label)]
        start = int(rng.integers(3)) * 3 * RATE_HZ // 2
        row[start : start + t.size] = 0.1 * made
    return LabelledClips(Features(x, np.arange(n)), None, {FINE: fine, COARSE: LABELS.to_coarse(fine)})


def attention_gradient(one: HierarchicalCnn, step: int) -> float:
    torch.manual_seed(0)
    module = one.build().train()
    train = clips(8, 0)
    labels = {level: torch.from_numpy(y) for level, y in train.labels.items()}
    batch = Batch(torch.from_numpy(train.features.load()), labels, step=step)
    one.loss(one.forward(module, batch), batch).backward()  # type: ignore[no-untyped-call]
    (attend,) = module.attention  # type: ignore[misc, union-attr]
    return float(torch.cat([p.grad.flatten() for p in attend.parameters()]).norm())


def test_attention_is_trained_by_every_fourth_update() -> None:
    found = [attention_gradient(system(), step) for step in range(5)]
    assert found[3] > 1e-4 and found[:3] + found[4:] == [0.0] * 4
    assert attention_gradient(system(example="clip"), 0) > 1e-4


def test_attention_moves_away_from_where_it_began(tmp_path: Path) -> None:
    """By more than Adam's momentum of its last gradient would: each of ten updates moves it by up to the rate."""
    one = system()
    one.fit(clips(16, 0), None, Context(seed=2, folder=tmp_path))
    module, other = one.module, system()
    assert module is not None
    torch.manual_seed(torch_seed(2, -1))
    before = dict(other.build().named_parameters())
    moved = {
        name: float((parameter - before[name]).detach().abs().max())
        for name, parameter in module.named_parameters()
        if "attention" in name
    }
    assert len(moved) == 3 and min(moved.values()) > 2e-3, moved


def test_the_whole_clip_is_the_example_where_that_is_set_and_at_test() -> None:
    one, other = system(example="clip"), system()
    torch.manual_seed(0)
    module = one.build()
    batch = Batch(torch.from_numpy(clips(2, 0).features.load()))
    seen: list[int] = []
    module.fc1.register_forward_hook(lambda layer, given, found: seen.append(found.shape[1]))  # type: ignore[union-attr]
    one.forward(module.train(), batch)
    other.forward(module, batch)
    other.forward(module, replace(batch, step=3))
    other.forward(module.eval(), batch)
    assert seen == [3, 1, 3, 3]


@pytest.mark.parametrize(("dropout", "expected"), [("last", 2), ("all", 9)])
def test_dropout_stands_where_the_setting_says(dropout: str, expected: int) -> None:
    """Table I has five pooled layers in the short pipeline and four in the long one."""
    one = system(dropout=dropout)
    module = one.build().train()
    shapes: list[int] = []
    for pipeline in module.pipelines.values():  # type: ignore[operator, union-attr]
        pipeline.dropout.register_forward_hook(lambda layer, given, found: shapes.append(found.shape[3]))
    one.forward(module, Batch(torch.randn(1, 2 * RATE_HZ)))
    assert len(shapes) == expected
    # What Conv6 takes: Table I's steps of 2 s.
    assert shapes[expected // 2 if dropout == "last" else 4] in (22, 223) and shapes[-1] == 22


@pytest.mark.parametrize("budget", ["quick", "paper"])
def test_a_training_cut_short_goes_on_bit_for_bit(budget: str, tmp_path: Path, monkeypatch) -> None:
    """Also where the draw of windows, dropout and the plateau's stages would betray a lost state."""
    whole = HierarchicalCnn(Task(LABELS, (), 5.0), HierarchicalCnnParams(), Budget(budget)).training_plan()
    plan = replace(
        whole, batch_size=4, precision="float32", **({"iterations": 6} if budget == "quick" else {"epochs": 3})
    )
    monkeypatch.setattr(HierarchicalCnn, "training_plan", lambda self: plan)
    monkeypatch.setattr(HierarchicalCnn, "checkpoint_every_s", 1e-9)
    monkeypatch.setattr("asc_bench.training.loop.REPORT_EVERY_S", 0.0)
    train, validation = clips(8, 0), clips(4, 1) if plan.needs_validation else None

    def fitted(folder: str, stop_at: float = 2.0) -> HierarchicalCnn:
        def progress(done: float, message: str) -> None:
            seen.append(done)
            if done >= stop_at:
                raise KeyboardInterrupt

        one = system()
        one.fit(train, validation, Context(seed=3, folder=tmp_path / folder, progress=progress))
        return one

    for name in ("straight", "cut"):
        (tmp_path / name).mkdir()
    seen: list[float] = []
    straight = fitted("straight")
    with pytest.raises(KeyboardInterrupt):
        fitted("cut", stop_at=0.5)
    seen.clear()
    resumed = fitted("cut")
    assert min(seen) > 0.5, "the first half was trained again"
    assert straight.module is not None and resumed.module is not None
    for name, tensor in straight.module.state_dict().items():
        assert torch.equal(tensor, resumed.module.state_dict()[name]), name


def test_windows_are_learned_from_and_silence_is_no_obstacle(tmp_path: Path, monkeypatch) -> None:
    """At test one or two of the three chunks of each clip are silent, which never stand alone in training."""
    one = system()
    plan = replace(one.training_plan(), batch_size=8, iterations=40, learning_rate=3e-3, precision="float32")
    monkeypatch.setattr(HierarchicalCnn, "training_plan", lambda self: plan)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one.fit(clips(32, 0), None, Context(seed=1, folder=tmp_path))
        test = clips(32, 1)
        found = one.predict(Clips(test.features))
    finally:
        torch.set_num_threads(before)
    assert isinstance(found, dict)
    assert (found[FINE].argmax(axis=1) == test.labels[FINE]).mean() > 0.5
