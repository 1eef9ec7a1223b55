import numpy as np
import pytest
from asc_bench.baselines.cnn_ensemble_member import CnnEnsembleMember, CnnEnsembleMemberParams

from asc_bench.api import FINE, Budget, LogMel, Mixup
from asc_bench.features.hpss import SeparatedLogMel
from tests.unit.small_sets import accuracy, context, refusal, task
from tests.unit.texture_sets import textures


def test_parameter_count_is_the_known_one():
    assert CnnEnsembleMember(task(70)).complexity()["n_parameters"] == 1_190_630


def test_multiply_adds_of_a_whole_clip_counted_by_hand():
    maps = [(251, 128), (125, 64), (62, 32), (31, 16)]
    widths = [1, 32, 64, 128, 256]
    expected = 256 * 70
    for (frames, bands), n_in, n_out in zip(maps, widths, widths[1:], strict=False):
        expected += frames * bands * 9 * (n_in * n_out + n_out * n_out)
    assert CnnEnsembleMember(task(70)).complexity()["n_multiply_adds"] == expected


@pytest.mark.parametrize(
    ("division", "length", "starts"),
    [("half", 125, [0, 62, 124]), ("quarter", 62, [0, 31, 62, 93, 124, 155, 186])],
)
def test_pieces_of_a_clip_of_251_frames(division, length, starts):
    system = CnnEnsembleMember(task(10), CnnEnsembleMemberParams(division=division), Budget.PAPER)
    plan = system.training_plan()
    assert plan.crop.length == length
    assert list(plan.crop.test_starts(251)) == starts
    assert (plan.epochs, plan.batch_size, plan.augment) == (100 * len(starts), 32, (Mixup(alpha=0.2),))


def test_the_whole_clip_is_not_cut():
    plan = CnnEnsembleMember(task(10), budget=Budget.PAPER).training_plan()
    assert plan.crop is None and plan.epochs == 100


def test_each_representation_has_its_front_end():
    whole, *parts = [
        CnnEnsembleMember(task(), CnnEnsembleMemberParams(features=features)).front_end()
        for features in ("logmel", "harmonic", "percussive")
    ]
    assert isinstance(whole, LogMel) and whole.shape(5.0) == (251, 128)
    assert [(type(p), p.part, p.shape(5.0)) for p in parts] == [
        (SeparatedLogMel, "harmonic", (251, 128)),
        (SeparatedLogMel, "percussive", (251, 128)),
    ]


def test_clips_too_short_for_the_division_are_refused():
    short = task(duration_s=1.0)
    assert refusal(CnnEnsembleMember(short)) is None
    why = refusal(CnnEnsembleMember(short, CnnEnsembleMemberParams(division="quarter")))
    assert why == ("pieces of clips of 1 s have 12 frames for division=quarter; four poolings need at least 16")


def test_learns_separable_clips(tmp_path):
    train, test = textures(8, (64, 24)), textures(4, (64, 24), seed=1)
    params = CnnEnsembleMemberParams(division="half")
    system = CnnEnsembleMember(task(3, duration_s=1.26), params, Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.8
