"""In which arithmetic networks are trained: as asked for, or whichever is faster on this machine.

A flag of the CPU does not tell: with AVX512_BF16 alone, bfloat16 took 1.2 to 1.55 times as long as float32 on an
Intel Xeon, and 0.6 times as long on an AMD EPYC. So both are timed, and the manifest says what was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import torch

Arithmetic = Literal["float32", "bfloat16"]
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)

REQUIRED_GAIN = 1.15
"""So many times as fast must bfloat16 be: two processes that are disturbed in their timing still agree."""

N_QUIET = 6
"""The arithmetics take turns, and the least times count once so many rounds in a row have not lowered any: neither
arithmetic is blamed for what else the machine does."""

MAX_ROUNDS = 60

_IMPROVEMENT = 0.02
"""Share by which a time must be lowered to count as that."""

_BATCH, _CHANNELS, _SIDE, _ROWS, _WIDTH = 4, 64, 24, 256, 512


@dataclass(frozen=True)
class Decision:
    """What "auto" stands for in training plans, and why.

    Attributes
    ----------
    precision : {"float32", "bfloat16"}
    reason : str
        In words, for the manifest.
    fixed : bool
        Asked for by the user: it replaces what a training plan says, too.
    seconds : mapping of str to float
        What was timed, such as ``"convolution bfloat16"``; empty where nothing was.
    """

    precision: Arithmetic
    reason: str
    fixed: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype:
        """As torch names it."""
        import torch

        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def facts(self) -> dict[str, str | float]:
        """Entries of a run's manifest; timings in milliseconds."""
        timed = {f"timed_{name.replace(' ', '_')}_ms": round(1e3 * s, 3) for name, s in self.seconds.items()}
        return {"training_precision": self.precision, "training_precision_reason": self.reason, **timed}


def asked_for(precision: str) -> Decision | None:
    """The decision that an option stands for; None for "auto", which is decided where the runs are computed."""
    for known in ARITHMETICS:
        if precision == known:
            return Decision(known, "asked for", fixed=True)
    return None


def for_plan(planned: str, device: str, decision: Decision | None = None) -> Decision:
    """The arithmetic of one training.

    Parameters
    ----------
    planned : {"float32", "bfloat16", "auto"}
        What its plan says.
    device : str
        torch device of the training.
    decision : Decision, optional
        Made before, for all runs of a command; it counts where the plan says "auto", or where it is fixed.
    """
    if decision is not None and (decision.fixed or planned == "auto"):
        return decision
    for known in ARITHMETICS:
        if planned == known:
            return Decision(known, "as the training plan says")
    return choose_precision(device)


@lru_cache
def choose_precision(device: str) -> Decision:
    """Decide what "auto" stands for on a device, once for each process.

    On a GPU bfloat16 is chosen where the hardware multiplies it. On a CPU a convolution and a matrix product,
    forward and backward as autocast computes them, are timed in both arithmetics: some 0.2 s of one thread. Its CPU
    time counts, which other work on the machine hardly disturbs; with more threads the arithmetics compare alike.

    Parameters
    ----------
    device : str
        torch device.
    """
    import torch

    if device.startswith("cuda"):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Decision("bfloat16", "the GPU multiplies it")
        return Decision("float32", "the GPU multiplies no bfloat16")
    with _one_thread():
        return decide(_timed())


def decide(seconds: Mapping[str, float]) -> Decision:
    """Judge timings, named by a computation and its arithmetic."""
    spent = {a: sum(s for name, s in seconds.items() if name.endswith(a)) for a in ARITHMETICS}
    gain = spent["float32"] / spent["bfloat16"]
    chosen: Arithmetic = "bfloat16" if gain >= REQUIRED_GAIN else "float32"
    reason = f"timed: bfloat16 is {gain:.2f} times as fast as float32, wanted are {REQUIRED_GAIN}"
    return Decision(chosen, reason, seconds=dict(seconds))


def resumed_in(decision: Decision, precision: str) -> Decision:
    """The decision for a training that a checkpoint began in ``precision``."""
    for known in ARITHMETICS:
        if precision == known != decision.precision:
            return replace(decision, precision=known, reason=f"as its checkpoint; here {decision.reason}")
    return decision


def _timed() -> dict[str, float]:
    """Least seconds of each computation in each arithmetic."""
    import torch

    def spent(compute: Callable[[], None], arithmetic: Arithmetic) -> float:
        start = time.thread_time()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arithmetic == "bfloat16"):
            compute()
        return time.thread_time() - start

    with torch.inference_mode(False), torch.enable_grad():
        return least_times(
            {
                f"{name} {arithmetic}": partial(spent, compute, arithmetic)
                for name, compute in _computations().items()
                for arithmetic in ARITHMETICS
            }
        )


def least_times(timers: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Call all in turns until none gives a lower time any more; first calls generate kernels and do not count."""
    for timer in timers.values():
        timer()
    least, quiet = dict.fromkeys(timers, float("inf")), 0
    for _ in range(MAX_ROUNDS):
        now = {name: timer() for name, timer in timers.items()}
        quiet = quiet + 1 if all(now[name] >= (1 - _IMPROVEMENT) * least[name] for name in timers) else 0
        least = {name: min(least[name], now[name]) for name in timers}
        if quiet == N_QUIET:
            break
    return least


def _computations() -> dict[str, Callable[[], None]]:
    """Forward and backward passes, on ones: random numbers would move torch's generator."""
    import torch
    from torch.nn.functional import conv2d, linear

    maps = torch.ones(_BATCH, _CHANNELS, _SIDE, _SIDE).contiguous(memory_format=torch.channels_last)
    kernel = torch.ones(_CHANNELS, _CHANNELS, 3, 3).contiguous(memory_format=torch.channels_last)
    rows, weight = torch.ones(_ROWS, _WIDTH), torch.ones(_WIDTH, _WIDTH)
    for tensor in (maps, kernel, rows, weight):
        tensor.requires_grad_()

    def convolution() -> None:
        torch.autograd.grad(conv2d(maps, kernel, padding=1).sum(), (maps, kernel))

    def product() -> None:
        torch.autograd.grad(linear(rows, weight).sum(), (rows, weight))

    return {"convolution": convolution, "matrix product": product}


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
