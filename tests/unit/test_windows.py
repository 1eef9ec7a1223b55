"""Windows of clips with several labels: where they lie, and what they come to together."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from asc_bench.modules.windows import WindowHead, weak_label_loss, window_starts, windows


def test_windows_are_centred_on_their_segments_and_stay_inside_the_clip() -> None:
    # 10 s of 100 frames each, windows of 2 s: the middle of second k lies at 100 k + 50.
    starts = window_starts(1_000, length=200, n_segments=10)
    assert starts == (0, 50, 150, 250, 350, 450, 550, 650, 750, 800)
    assert window_starts(1_000, length=1_000, n_segments=3) == (0, 0, 0)
    assert window_starts(10, length=20, n_segments=2) == (0, 0)


def test_windows_hold_the_frames_from_their_start() -> None:
    clip = torch.arange(12.0).reshape(1, 6, 2)
    cut = windows(clip, (0, 3), length=2)
    assert cut.tolist() == [[[[0.0, 1.0], [2.0, 3.0]], [[6.0, 7.0], [8.0, 9.0]]]]


def _set(head: WindowHead, *, weight: float = 1.0) -> None:
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.classes.weight.fill_(weight)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    # Windows with the probabilities 0.5 and 0.8; attention without weights is a mean.
    [("replicated", 0.65), ("attention", 0.65), ("noisy-or", 1 - 0.5 * 0.2)],
)
def test_a_clip_is_what_its_windows_come_to(pooling: str, expected: float) -> None:
    head = WindowHead(1, 1, pooling=pooling)  # type: ignore[arg-type]
    _set(head)
    outputs = head(torch.tensor([[[0.0], [math.log(4.0)]]]))
    assert outputs["logits"].flatten().sigmoid().tolist() == pytest.approx([0.5, 0.8])
    assert outputs["tagging"].tolist() == [[pytest.approx(expected, abs=1e-6)]]


def test_attention_weighs_the_windows_of_each_class_by_itself() -> None:
    head = WindowHead(1, 2, pooling="attention")
    _set(head)
    assert head.attention is not None
    with torch.no_grad():
        head.attention.weight.copy_(torch.tensor([[1.0], [0.0]]))
    outputs = head(torch.tensor([[[0.0], [math.log(4.0)]]]))
    # The first class weighs its windows by 1 : 4, the second equally.
    assert outputs["tagging"].flatten().tolist() == pytest.approx([0.2 * 0.5 + 0.8 * 0.8, 0.65])


def _outputs(chances: Tensor, tagging: Tensor) -> dict[str, Tensor]:
    return {"logits": chances.logit(), "tagging": tagging}


def test_replicated_labels_judge_every_window_and_pooled_ones_the_clip() -> None:
    chances = torch.tensor([[[0.5, 0.9], [0.8, 0.3]]])
    present = torch.tensor([[1.0, 0.0]])
    outputs = _outputs(chances, torch.tensor([[0.6, 0.2]]))
    each = [-math.log(0.5), -math.log(0.1), -math.log(0.8), -math.log(0.7)]
    assert float(weak_label_loss(outputs, present, pooling="replicated")) == pytest.approx(sum(each) / 4, rel=1e-5)
    clip = [-math.log(0.6), -math.log(0.8)]
    for pooling in ("attention", "noisy-or"):
        found = float(weak_label_loss(outputs, present, pooling=pooling))  # type: ignore[arg-type]
        assert found == pytest.approx(sum(clip) / 2, rel=1e-5)


def test_a_certain_clip_has_a_finite_loss() -> None:
    head = WindowHead(1, 1, pooling="noisy-or")
    _set(head, weight=100.0)
    outputs = head(torch.ones(1, 10, 1))
    assert float(outputs["tagging"].detach()) == 1.0
    loss = weak_label_loss(outputs, torch.zeros(1, 1), pooling="noisy-or")
    assert math.isfinite(float(loss.detach()))
