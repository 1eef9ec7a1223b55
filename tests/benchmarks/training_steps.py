"""Timing the steps of the training loop in several arithmetics and memory layouts, and whether they are right."""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from asc_bench.api import Constant, TorchSystem
from asc_bench.training.batches import Batch, ClipStore
from asc_bench.training.device import reproducible
from asc_bench.training.evaluate import Outputs, as_float32, evaluate
from asc_bench.training.loop import train

WARM_UP = 3
"""Steps that are not timed: kernels are chosen, and memory that was never touched comes in slowly."""

MAX_LOSS_DEVIATION = 0.01
MAX_NORM_DEVIATION = 0.02
MAX_GRADIENT_DEVIATION = 0.1
"""Relative to plain float32; the last two are of the gradient's norm and of the gradient as a vector."""

MAX_SLOWER = 1.1
REQUIRED_FACTOR = 2.2


@dataclass(frozen=True)
class Setting:
    """How a step is computed."""

    precision: str
    channels_last: bool
    compiled: bool = False

    def __str__(self) -> str:
        layout = "channels-last" if self.channels_last else "contiguous"
        return f"{self.precision} {layout}{' compiled' if self.compiled else ''}"


PLAIN = Setting("float32", channels_last=False)
SETTINGS = (
    PLAIN,
    Setting("float32", channels_last=True),
    Setting("bfloat16", channels_last=False),
    Setting("bfloat16", channels_last=True),
)


@dataclass(frozen=True)
class Steps:
    """What a training of a few steps gave: seconds of each, and the loss and gradient of the first."""

    seconds: tuple[float, ...]
    loss: float
    gradient: Tensor


@dataclass(frozen=True)
class Row:
    """Figures of one setting; deviations are relative to plain float32."""

    setting: Setting
    step_s: float
    factor: float
    loss_deviation: float
    norm_deviation: float
    gradient_deviation: float
    compile_s: float = 0.0

    @property
    def right(self) -> bool:
        """Whether loss and gradient are as near to plain float32 as they must be."""
        return (
            self.loss_deviation <= MAX_LOSS_DEVIATION
            and self.norm_deviation <= MAX_NORM_DEVIATION
            and self.gradient_deviation <= MAX_GRADIENT_DEVIATION
        )

    def cost_s(self, n_steps: int) -> float:
        """Seconds of a step, with the compilation spread over a training of ``n_steps``."""
        return self.step_s + self.compile_s / n_steps


class Watched:
    """A learner that notes when each forward pass begins, and the loss and gradient of the first step."""

    def __init__(self, system: TorchSystem, device: str) -> None:
        self._system, self._cuda = system, device.startswith("cuda")
        self._marks: list[Any] = []
        self.first_loss: float | None = None
        self.first_gradient: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network."""
        if len(self._marks) == 1:  # the first step's gradient lies there until the second goes backward
            self.first_gradient = gradient(module)
        if self._cuda:
            # Events are timed by the GPU itself: to wait for it in each step would slow short steps.
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())
        return self._system.forward(module, batch)

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Loss of one batch."""
        loss = self._system.loss(outputs, batch)
        if self.first_loss is None:
            self.first_loss = float(loss.detach())
        return loss

    def seconds(self) -> tuple[float, ...]:
        """From each forward pass to the next."""
        if self._cuda:
            torch.cuda.synchronize()
            return tuple(a.elapsed_time(b) / 1000 for a, b in pairwise(self._marks))
        return tuple(b - a for a, b in pairwise(self._marks))


def gradient(module: nn.Module) -> Tensor:
    """All gradients as one float64 vector on the CPU."""
    return torch.cat([p.grad.detach().cpu().double().flatten() for p in module.parameters() if p.grad is not None])


def make_module(system: TorchSystem, device: str, *, channels_last: bool = False) -> nn.Module:
    """The network, with the same weights each time."""
    torch.manual_seed(0)
    module = system.build().to(device)
    return module.to(memory_format=torch.channels_last) if channels_last else module  # type: ignore[call-overload]


def take_steps(system: TorchSystem, clips: ClipStore, setting: Setting, *, batch_size: int, repeats: int) -> Steps:
    """Run the training loop for ``repeats`` steps after the warm-up, whose seconds are still in the result."""
    module = make_module(system, clips.device)
    if setting.compiled:
        torch.compiler.reset()
        module.compile()
    watched = Watched(system, clips.device)
    plan = replace(
        system.training_plan(),
        batch_size=batch_size,
        iterations=WARM_UP + repeats + 1,
        schedule=Constant(),
        precision=setting.precision,  # type: ignore[arg-type]
        channels_last=setting.channels_last,
        validate_every=0,
    )
    train(module, watched, clips, None, plan, seed=0, front_end=system.network_front_end())
    assert watched.first_loss is not None and watched.first_gradient is not None
    return Steps(watched.seconds(), watched.first_loss, watched.first_gradient)


def to_row(setting: Setting, rounds: Sequence[Steps], plain: Sequence[Steps]) -> Row:
    """Figures of a setting, from all its rounds and those of plain float32."""
    step_s, plain_s = (median([s for steps in which for s in steps.seconds[WARM_UP:]]) for which in (rounds, plain))
    mine, other = rounds[0], plain[0]
    norm = float(other.gradient.norm())
    return Row(
        setting,
        step_s=step_s,
        factor=plain_s / step_s,
        loss_deviation=abs(mine.loss - other.loss) / abs(other.loss),
        norm_deviation=abs(float(mine.gradient.norm()) - norm) / norm,
        gradient_deviation=float((mine.gradient - other.gradient).norm()) / norm,
        compile_s=max(0.0, mine.seconds[0] - step_s) if setting.compiled else 0.0,
    )


def fastest_right(rows: Sequence[Row], n_steps: int) -> Row:
    """The cheapest row whose numbers are right; those of plain float32 are."""
    return min((row for row in rows if row.right), key=lambda row: row.cost_s(n_steps))


def complaints(rows: Sequence[Row], used: Setting, n_steps: int, *, required_factor: float = 0.0) -> list[str]:
    """What is wrong with the setting that a system uses, for a training of ``n_steps``."""
    mine, best = next(row for row in rows if row.setting == used), fastest_right(rows, n_steps)
    found = []
    if not mine.right:
        found.append(f"{used}: loss or gradient is too far from {PLAIN}")
    slower = mine.cost_s(n_steps) / best.cost_s(n_steps)
    if slower > MAX_SLOWER:
        found.append(f"{used} takes {slower:.2f} times as long as {best.setting}, allowed is {MAX_SLOWER}")
    if mine.factor < required_factor:
        found.append(f"{used} is {mine.factor:.2f} times as fast as {PLAIN}, required is {required_factor}")
    return found


def no_compiler(device: str) -> str | None:
    """Why torch.compile cannot work here, or None."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        return f"there is no C++ compiler {compiler!r}; name one in CXX"
    if device.startswith("cuda") and find_spec("triton") is None:
        return "the package triton is not installed"
    return None


def flops_per_step(system: TorchSystem, shape: tuple[int, ...], batch_size: int) -> int:
    """Operations of the convolutions and matrix products, forward and backward; a multiply-add is two.

    Counted by ``torch.utils.flop_counter`` on tensors without storage: nothing is computed.
    """
    ghost = copy.deepcopy(make_module(system, "cpu")).to("meta").train()
    index = torch.zeros(batch_size, dtype=torch.int64, device="meta")
    labels = dict.fromkeys(system.task.labels.levels, index)
    batch = Batch(torch.empty((batch_size, *shape), device="meta"), labels=labels, device=index)
    with FlopCounterMode(display=False) as counter:
        system.loss(as_float32(system.forward(ghost, batch)), batch).backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def matrix_flops_per_s(precision: str, device: str, *, side: int, repeats: int = 5) -> float:
    """Operations per second of a square matrix product, the best of several."""
    a, b = (torch.randn(side, side, device=device).to(getattr(torch, precision)) for _ in range(2))
    return 2 * side**3 / min(seconds(lambda: a @ b, device) for _ in range(repeats))


def evaluation_s_per_clip(system: TorchSystem, clips: ClipStore, *, repeats: int) -> float:
    """Seconds of evaluating one clip as the training loop does it, in float32: the median after a first pass."""
    plan = system.training_plan()
    module = make_module(system, clips.device, channels_last=plan.channels_last)
    once = partial(evaluate, module, system, clips, plan)
    with reproducible(clips.device):
        found = [seconds(once, clips.device) for _ in range(1 + repeats)]
    return median(found[1:]) / len(clips)


def seconds(action: Callable[[], object], device: str) -> float:
    """Wall-clock seconds of one call, to the end of what it started on a GPU."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    start = time.perf_counter()
    action()
    wait()
    return time.perf_counter() - start
