"""Steps of the training loop in several arithmetics and memory layouts: their time, and whether they are right."""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from asc_bench.api import COARSE, FINE, Constant, Features, LabelledClips, LabelSpace, Task, TorchSystem
from asc_bench.errors import SystemFailure
from asc_bench.training.batches import Batch, ClipStore
from asc_bench.training.device import reproducible
from asc_bench.training.evaluate import as_float32
from asc_bench.training.loop import _Training
from asc_bench.training.precision import Arithmetic

LABELS = LabelSpace.from_map({f"fine {i}": f"coarse {i % 8}" for i in range(70)})
"""As many classes as the merged data set of Abrol and Sharma (2020) has."""
TASK = Task(labels=LABELS, devices=("A", "B", "C"), clip_duration_s=5.0)


@dataclass(frozen=True)
class Setting:
    """How a step is computed."""

    precision: Arithmetic
    channels_last: bool
    compiled: bool = False

    def __str__(self) -> str:
        layout = "channels-last" if self.channels_last else "contiguous"
        return f"{self.precision} {layout}{' compiled' if self.compiled else ''}"


PLAIN = Setting("float32", channels_last=False)


@dataclass
class Row:
    """What was measured of one setting.

    Attributes
    ----------
    setting : Setting
    loss : float
        Of the first step.
    gradient : Tensor
        Of the first step, float64, all parameters as one vector.
    first_s : float
        Seconds of the first step, in which kernels are chosen and code is compiled.
    step_s : list of float
        Seconds of a step in each round.
    peak_bytes : int
        Most memory of a GPU in use; 0 on a CPU.
    """

    setting: Setting
    loss: float
    gradient: Tensor
    first_s: float
    step_s: list[float] = field(default_factory=list)
    peak_bytes: int = 0

    @property
    def least_s(self) -> float:
        """Of all rounds: what else runs on the machine only ever adds to it."""
        return min(self.step_s)

    @property
    def compile_s(self) -> float:
        """What the first step took beyond the others."""
        return max(0.0, self.first_s - self.least_s)

    def pays_off_after(self, other: Row) -> float:
        """Steps after which this setting has made up for what its first step took; infinite if it never does."""
        gained = other.least_s - self.least_s
        return max(0.0, self.compile_s - other.compile_s) / gained if gained > 0 else float("inf")

    def deviations(self, other: Row) -> tuple[float, float, float]:
        """Of the loss, of the gradient's norm, and of the gradient as a vector, relative to another setting."""
        norm = float(other.gradient.norm())
        return (
            abs(self.loss - other.loss) / abs(other.loss),
            abs(float(self.gradient.norm()) - norm) / norm,
            float((self.gradient - other.gradient).norm()) / norm,
        )


class Steps:
    """A training in one setting, step by step: all that the loop does, but for validation and checkpoints."""

    def __init__(self, system: TorchSystem, clips: ClipStore, setting: Setting, *, batch_size: int) -> None:
        torch.manual_seed(0)
        module = system.build().to(clips.device)
        if setting.compiled:
            torch.compiler.reset()
            counters.clear()
            module.compile()
        plan = replace(
            system.training_plan(),
            batch_size=batch_size,
            epochs=None,
            iterations=1_000_000,
            schedule=Constant(),
            precision=setting.precision,
            channels_last=setting.channels_last,
            validate_every=0,
            select="last",
            patience=None,
        )
        self._device = clips.device
        front_end = system.network_front_end()
        self._training = _Training(module, system, clips, None, plan, 0, front_end, None)

    def take(self, n: int = 1) -> float:
        """Seconds of each of ``n`` steps, to the end of what they start on a GPU."""
        step = self._training._step
        with reproducible(self._device):
            return seconds(lambda: [step() for _ in range(n)], self._device) / n

    def first(self, setting: Setting) -> Row:
        """Take the first step."""
        found: list[Tensor] = []
        with reproducible(self._device):
            began = time.perf_counter()  # of all processes that compile
            seconds(lambda: found.append(self._training._step()), self._device)
            first_s = time.perf_counter() - began
        if setting.compiled and not counters["frames"]["ok"]:
            raise SystemFailure("nothing of it was compiled, since its loss does not call the network as a whole")
        return Row(setting, float(found[0]), gradient(self._training.module), first_s)


def measured(
    system: TorchSystem,
    clips: ClipStore,
    settings: Sequence[Setting],
    *,
    batch_size: int,
    rounds: int,
    n_steps: int = 1,
) -> list[Row]:
    """Figures of all settings, which take turns: what else runs on the machine slows all of them."""
    trainings = [Steps(system, clips, setting, batch_size=batch_size) for setting in settings]
    rows = [steps.first(setting) for steps, setting in zip(trainings, settings, strict=True)]
    for _ in range(rounds):
        for row, steps in zip(rows, trainings, strict=True):
            if clips.device.startswith("cuda"):
                torch.cuda.reset_peak_memory_stats(clips.device)
            row.step_s.append(steps.take(n_steps))
            if clips.device.startswith("cuda"):
                row.peak_bytes = torch.cuda.max_memory_allocated(clips.device)
    return rows


def make_clips(system: TorchSystem, n_clips: int, device: str) -> ClipStore:
    """Noise with labels of both levels and devices: no step takes longer on it than on anything else."""
    rng = np.random.default_rng(0)
    shape = system.front_end().shape(TASK.clip_duration_s)
    noise = rng.standard_normal((n_clips, *shape), dtype=np.float32)
    fine = rng.integers(0, len(LABELS.fine), size=n_clips)
    labels = {FINE: fine, COARSE: LABELS.to_coarse(fine)}
    # A waveform stays within [-1, 1].
    features = Features(0.1 * noise if len(shape) == 1 else noise, np.arange(n_clips))
    recorder = None if system.needs_device == "no" else np.arange(n_clips) % len(TASK.devices)
    return ClipStore(LabelledClips(features, recorder, labels), device=device)


def gradient(module: nn.Module) -> Tensor:
    """All gradients as one float64 vector on the CPU."""
    return torch.cat([p.grad.detach().cpu().double().flatten() for p in module.parameters() if p.grad is not None])


def flops_per_step(system: TorchSystem, batch_size: int) -> int:
    """Operations of the convolutions and matrix products, forward and backward; a multiply-add is two.

    Counted by ``torch.utils.flop_counter`` on tensors without storage: nothing is computed.
    """
    ghost = copy.deepcopy(system.build()).to("meta").train()
    shape = system.front_end().shape(TASK.clip_duration_s)
    crop = system.training_plan().crop
    frames = shape[0] if crop is None else crop.length
    index = torch.zeros(batch_size, dtype=torch.int64, device="meta")
    labels = dict.fromkeys(LABELS.levels, index)
    features = torch.empty((batch_size, frames, *shape[1:]), device="meta")
    batch = Batch(features, labels=labels, device=index)
    with FlopCounterMode(display=False) as counter:
        system.loss(as_float32(system.forward(ghost, batch)), batch).backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def matrix_flops_per_s(device: str, *, side: int, repeats: int = 5) -> Mapping[str, float]:
    """Operations per second of a square matrix product in each arithmetic, the best of several, in turns."""
    least: dict[str, float] = {}
    for _ in range(repeats):
        for precision in ("float32", "bfloat16"):
            a, b = (torch.randn(side, side, device=device).to(getattr(torch, precision)) for _ in range(2))
            spent = seconds(lambda a=a, b=b: a @ b, device)  # type: ignore[misc]
            least[precision] = min(spent, least.get(precision, spent))
    return {precision: 2 * side**3 / spent for precision, spent in least.items()}


def costly_operators(steps: Steps, n: int) -> list[tuple[str, float]]:
    """The operators that take most of a step's time, and their shares of it."""
    on_gpu = steps._device.startswith("cuda")
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as profiler:
        steps.take()
    events = profiler.key_averages()
    spent = {e.key: float(e.self_device_time_total if on_gpu else e.self_cpu_time_total) for e in events}
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    return [(name.removeprefix("aten::"), s / sum(spent.values())) for name, s in ranked[:n]]


def no_compiler(device: str) -> str | None:
    """Why torch.compile cannot work here, or None."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        return f"there is no C++ compiler {compiler!r}; name one in CXX"
    if device.startswith("cuda") and find_spec("triton") is None:
        return "the package triton is not installed"
    return None


def seconds(action: Callable[[], object], device: str) -> float:
    """Seconds of one call, to the end of what it starts on a GPU.

    On a CPU with one thread it is its CPU time, which other work on the machine disturbs less.
    """
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    wait()
    start = clock()
    action()
    wait()
    return clock() - start
