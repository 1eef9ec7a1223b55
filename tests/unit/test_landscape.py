"""Loss landscapes: directions, losses known in closed form, taking up again, and networks left as they were."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch
from torch import nn

from asc_bench.analysis.landscape import Landscape, Plane, direction, landscape, mean_loss
from asc_bench.analysis.landscape_figure import draw_landscapes
from asc_bench.api import (
    FINE,
    Budget,
    Card,
    ConfigError,
    Constant,
    Features,
    LabelledClips,
    LabelSpace,
    SystemFailure,
    Task,
    TorchSystem,
    TrainingPlan,
    Waveform,
)
from asc_bench.training.batches import Statistics

SMALL = Plane(n_points=3)


class Net(nn.Module):
    """All kinds of parameters and buffers that there are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, (2, 5)).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(4)
        self.dense = nn.Linear(6, 2)
        self.score = nn.Linear(5, 1, bias=False)
        self.rnn = nn.LSTM(3, 2)
        self.prototypes = nn.Parameter(torch.randn(3, 4))
        self.temperature = nn.Parameter(torch.tensor(2.0))


def net() -> Net:
    torch.manual_seed(3)
    made = Net()
    with torch.no_grad():
        made.dense.weight[1] = 0.0
        made.conv.bias[0] = -0.0
    return made


def bits(module: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def squares(module: nn.Module) -> Callable[[], float]:
    """Half the squared length of all parameters."""
    return lambda: sum(0.5 * float(p.detach().double().square().sum()) for p in module.parameters())


class Counted:
    """A loss that counts its calls, and is interrupted at one of them."""

    def __init__(self, loss: Callable[[], float], *, fails_at: int = 0, error: type[BaseException] = RuntimeError):
        self.loss, self.fails_at, self.error, self.calls = loss, fails_at, error, 0

    def __call__(self) -> float:
        self.calls += 1
        if self.calls == self.fails_at:
            raise self.error("stopped")
        return self.loss()


def test_every_filter_of_a_direction_is_as_long_as_that_of_the_weights() -> None:
    module = net()
    found = direction(module, seed=1, number=0)
    assert set(found) == {name for name, _ in module.named_parameters()}
    for name, weight in module.named_parameters():
        assert found[name].shape == weight.shape
        if weight.dim() < 2:
            assert not found[name].any(), name
            continue
        rows = [d.detach().numpy().astype(np.float64).reshape(len(d), -1) for d in (found[name], weight)]
        lengths = [np.sqrt((row**2).sum(axis=1)) for row in rows]
        np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-5, atol=1e-12, err_msg=name)
    assert not found["dense.weight"][1].any(), "a filter of zeros stays where it is"


def test_directions_are_gaussian_before_they_are_normalised() -> None:
    module = nn.Linear(20_000, 1)
    given = direction(module, seed=5, number=0)["weight"].numpy().ravel()
    kurtosis = np.mean(given**4) / np.mean(given**2) ** 2
    assert kurtosis == pytest.approx(3.0, abs=0.15)
    assert abs(given.mean()) < 0.03 * given.std()


def test_the_seed_alone_decides_on_the_directions() -> None:
    module = net()
    first, again = (direction(module, seed=7, number=0) for _ in range(2))
    torch.manual_seed(99)
    for other in ({"seed": 8, "number": 0}, {"seed": 7, "number": 1}):
        found = direction(module, **other)
        assert all(
            (torch.equal(first[n], again[n]) and not torch.equal(first[n], found[n]))
            for n in ("conv.weight", "score.weight", "prototypes")
        )


def test_losses_of_a_quadratic_are_those_of_the_closed_form() -> None:
    module = net()
    plane = Plane(n_points=5, span=0.5, seed=4)
    found = landscape(module, squares(module), plane)
    np.testing.assert_array_equal(found.steps, [-0.5, -0.25, 0.0, 0.25, 0.5])
    parameters = dict(module.named_parameters())
    moved = {n: p.detach().numpy().astype(np.float64).ravel() for n, p in parameters.items() if p.dim() > 1}
    first, second = (direction(module, seed=4, number=k) for k in (0, 1))
    w, d, e = (np.concatenate([x[n] for n in moved]) for x in (
        moved,
        *({n: t[n].numpy().astype(np.float64).ravel() for n in moved} for t in (first, second)),
    ))  # fmt: skip
    still = sum(0.5 * float(p.detach().double().square().sum()) for p in parameters.values() if p.dim() < 2)
    a, b = np.meshgrid(found.steps, found.steps, indexing="ij")
    # Filters of a direction are as long as those of the weights, and so is the whole: |d| = |e| = |w|.
    expected = still + 0.5 * (w @ w) * (1 + a**2 + b**2) + a * (w @ d) + b * (w @ e) + a * b * (d @ e)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    assert found.trained == squares(module)()
    assert not np.allclose(found.losses, found.losses.T, rtol=1e-3), "a transposed grid would not be told apart"


@pytest.mark.parametrize("fails_at", [0, 1, 5])
def test_the_network_is_left_bit_for_bit(fails_at: int) -> None:
    module = net()
    before = bits(module)
    layout = module.conv.weight.is_contiguous(memory_format=torch.channels_last)
    loss = Counted(squares(module), fails_at=fails_at)
    if fails_at:
        with pytest.raises(RuntimeError, match="stopped"):
            landscape(module, loss, SMALL)
    else:
        landscape(module, loss, SMALL)
    assert bits(module) == before
    assert module.conv.weight.is_contiguous(memory_format=torch.channels_last) == layout


def test_the_same_seed_gives_the_same_bits_and_another_other_losses() -> None:
    module = net()
    one, two, other = (landscape(module, squares(module), Plane(n_points=3, seed=s)).losses for s in (0, 0, 1))
    assert one.tobytes() == two.tobytes()
    assert one[1, 1] == other[1, 1]
    assert (one != other).sum() == 8


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_landscape_is_taken_up(tmp_path: Path, error: type[BaseException]) -> None:
    module = net()
    whole = landscape(module, squares(module), SMALL)
    stopped = Counted(squares(module), fails_at=4, error=error)
    with pytest.raises(error):
        landscape(module, stopped, SMALL, folder=tmp_path)
    rest, told = Counted(squares(module)), []
    found = landscape(module, rest, SMALL, folder=tmp_path, progress=lambda *given: told.append(given))
    assert rest.calls == 9 - 3
    assert found.losses.tobytes() == whole.losses.tobytes()
    assert told[0] == (pytest.approx(4 / 9), "4 of 9 points")
    assert told[-1] == (1.0, "9 of 9 points")
    nothing = Counted(squares(module))
    assert landscape(module, nothing, SMALL, folder=tmp_path).losses.tobytes() == whole.losses.tobytes()
    assert nothing.calls == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_loss_that_is_no_number_is_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    module = net()
    landscape(module, lambda: np.nan, SMALL, folder=tmp_path)
    again = Counted(squares(module))
    assert np.isnan(landscape(module, again, SMALL, folder=tmp_path).losses).all()
    assert again.calls == 0


def test_other_weights_other_planes_and_other_clips_have_landscapes_of_their_own(tmp_path: Path) -> None:
    module = net()
    landscape(module, squares(module), SMALL, folder=tmp_path, identity={"run": "a", "clips": ["x"]})
    others = [
        (SMALL, {"run": "b", "clips": ["x"]}),
        (SMALL, {"run": "a", "clips": ["x", "y"]}),
        (Plane(n_points=3, seed=1), {"run": "a", "clips": ["x"]}),
        (Plane(n_points=3, span=0.5), {"run": "a", "clips": ["x"]}),
    ]
    for plane, identity in others:
        loss = Counted(squares(module))
        landscape(module, loss, plane, folder=tmp_path, identity=identity)
        assert loss.calls == 9
    with torch.no_grad():
        module.norm.running_mean += 1
    loss = Counted(squares(module))
    landscape(module, loss, SMALL, folder=tmp_path, identity={"run": "a", "clips": ["x"]})
    assert loss.calls == 9
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "other"])
def test_a_damaged_file_is_computed_again_with_a_warning(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    module = net()
    whole = landscape(module, squares(module), SMALL, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    landscape(module, lambda: 0.0, SMALL, folder=tmp_path / "other", identity={"another": "loss"})
    (other,) = (tmp_path / "other").iterdir()
    spoiled = {
        "cut": content[:-20],
        "flipped": content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
        "empty": b"",
        "foreign": b"no tensors at all",
        "other": other.read_bytes(),
    }
    file.write_bytes(spoiled[damage])
    loss = Counted(squares(module))
    with caplog.at_level(logging.WARNING, logger="asc_bench"):
        found = landscape(module, loss, SMALL, folder=tmp_path)
    assert loss.calls == 9
    assert found.losses.tobytes() == whole.losses.tobytes()
    (message,) = (record.getMessage() for record in caplog.records)
    assert str(file) in message
    assert message.endswith("; the landscape is computed again")
    mended = Counted(squares(module))
    landscape(module, mended, SMALL, folder=tmp_path)
    assert mended.calls == 0


@pytest.mark.parametrize("n", [-3, 0, 1, 2, 20])
def test_an_even_or_tiny_grid_has_no_middle(n: int) -> None:
    with pytest.raises(ConfigError, match=f"odd number of points, 3 or more, got {n}"):
        Plane(n_points=n)


@pytest.mark.parametrize(("span", "seed"), [(0.0, 0), (-1.0, 0), (np.nan, 0), (np.inf, 0), (1.0, -1)])
def test_a_plane_without_size_or_with_a_negative_seed_is_refused(span: float, seed: int) -> None:
    with pytest.raises(ConfigError, match="positive span and a seed from 0 on"):
        Plane(span=span, seed=seed)


def test_a_network_without_filters_cannot_be_moved() -> None:
    with pytest.raises(ConfigError, match="BatchNorm1d has no weight of two dimensions or more"):
        landscape(nn.BatchNorm1d(4), lambda: 0.0, SMALL)


class Linear(TorchSystem):
    """A dense layer behind dropout: its loss outside training can be told by hand."""

    card = Card(name="linear", title="Linear", citation="none: a test double", year=2026, input="waveform")

    def front_end(self) -> Waveform:
        return Waveform(sample_rate_hz=16_000)

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.9), nn.Linear(8, 3))

    def training_plan(self) -> TrainingPlan:
        return TrainingPlan(batch_size=4, iterations=1, learning_rate=0.1, schedule=Constant())


def test_the_loss_of_a_system_is_that_of_its_training_without_dropout() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(2.0, 3.0, size=(70, 8)).astype(np.float32), rng.integers(3, size=70)
    system = Linear(Task(LabelSpace(("a", "b", "c")), (), 1.0), Linear.Params(), Budget.SMOKE)
    clips = LabelledClips(Features(x, np.arange(70)), None, {FINE: labels}, np.array(["here"] * 70))
    with pytest.raises(SystemFailure, match="neither fitted nor loaded"):
        mean_loss(system, clips)
    system.module = system.build().train()
    system._statistics = Statistics(torch.tensor(2.0), torch.tensor(3.0))
    dense = system.module[1]
    logits = (x - 2) / 3 @ dense.weight.detach().numpy().T + dense.bias.detach().numpy()
    # 70 clips are two batches of evaluation.
    expected = -scipy.special.log_softmax(logits, axis=1)[np.arange(70), labels].mean()
    loss = mean_loss(system, clips)
    assert loss() == pytest.approx(expected, rel=1e-6)
    assert landscape(system.module, loss, SMALL).trained == loss()


def valley(centre: tuple[float, float] = (0.0, 0.0), scale: float = 1.0) -> Landscape:
    steps = Plane(n_points=5).steps
    a, b = np.meshgrid(steps, steps, indexing="ij")
    return Landscape(steps=steps, losses=scale * (0.1 + (a - centre[0]) ** 2 + 2 * (b - centre[1]) ** 2))


def test_the_lowest_point_is_found_and_told_from_the_trained_one() -> None:
    found = valley((0.5, -1.0))
    assert found.lowest == (0.5, -1.0, pytest.approx(0.1))
    assert found.trained == pytest.approx(0.1 + 0.25 + 2)
    found.losses[3, 0] = np.nan
    found.losses[0, 0] = -np.inf
    assert found.lowest[:2] == (0.0, -1.0)
    found.losses[:] = np.inf
    with pytest.raises(SystemFailure, match="NaN or infinite at every point"):
        _ = found.lowest


def test_a_figure_has_a_surface_and_contours_of_each_on_shared_scales() -> None:
    found = {"one": valley(), "two": valley((0.5, -1.0), scale=10.0), "three": valley(), "four": valley()}
    figure = draw_landscapes(found, title="somewhere\nsynthetic")
    solids, flats = figure.axes[0:8:2], figure.axes[1:8:2]
    assert [ax.get_title() for ax in solids] == list(found)
    assert len({ax.get_zlim() for ax in solids}) == 1
    assert solids[0].get_zlim()[1] == pytest.approx(10 * (0.1 + 1.5**2 + 2 * 2**2))
    contours = [ax.collections[0] for ax in flats]
    assert len({tuple(c.levels) for c in contours}) == 1
    assert contours[0].levels[0] == pytest.approx(0.1)
    marks = {(line.get_marker(), line.get_xdata()[0], line.get_ydata()[0]) for line in flats[1].lines}
    assert marks == {("o", 0, 0), ("x", 0.5, -1.0)}
    assert figure.get_suptitle() == "somewhere\nsynthetic"


def test_the_first_direction_goes_to_the_right() -> None:
    steps = Plane(n_points=3).steps
    slope = Landscape(steps=steps, losses=np.repeat([[1.0], [2.0], [4.0]], 3, axis=1))
    figure = draw_landscapes({"slope": slope}, title="")
    # A point lies in the band of its loss if the first direction is the horizontal one.
    bands = figure.axes[1].collections[0]
    paths = bands.get_paths()
    low, high = paths[0].vertices, paths[-1].vertices
    assert low[:, 0].max() < high[:, 0].min()


def test_points_without_a_loss_are_gaps_and_flat_landscapes_are_drawn(tmp_path: Path) -> None:
    broken, flat = valley(), Landscape(steps=Plane(n_points=3).steps, losses=np.full((3, 3), 2.0))
    broken.losses[0, 0], broken.losses[4, 4] = np.nan, np.inf
    draw_landscapes({"broken": broken}, title="").savefig(tmp_path / "broken.png")
    figure = draw_landscapes({"flat": flat}, title="")
    figure.savefig(tmp_path / "flat.png")
    assert figure.axes[0].get_zlim() == (0, pytest.approx(2.02))


def test_nothing_to_draw_and_losses_below_zero_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        draw_landscapes({}, title="")
    zero = Landscape(steps=Plane(n_points=3).steps, losses=np.zeros((3, 3)))
    with pytest.raises(ConfigError, match="logarithmic scale, and the highest of them is 0"):
        draw_landscapes({"zero": zero}, title="")
