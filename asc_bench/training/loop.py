"""The one training loop."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from asc_bench.errors import StoreError, SystemFailure
from asc_bench.training.augmentation import given_of
from asc_bench.training.batches import Batch, ClipStore
from asc_bench.training.checkpoint import read_tensors, write_tensors
from asc_bench.training.device import in_layout, reproducible
from asc_bench.training.evaluate import Learner, as_float32, evaluate
from asc_bench.training.history import MOST_EPOCHS, HistoryRow, PartHistory
from asc_bench.training.plan import Plateau, TrainingPlan
from asc_bench.training.precision import Decision, for_plan, resumed_in
from asc_bench.training.sampling import batch_rows, crop_starts, torch_seed
from asc_bench.training.step_losses import StepLosses
from asc_bench.training.transforms.base import applied, first_fault

if TYPE_CHECKING:
    from asc_bench.features.frontends import FrontEnd

_log = logging.getLogger("asc_bench")

REPORT_EVERY_S = 0.5


@dataclass
class _Progress:
    """Everything a resumed training needs beside tensors."""

    step: int = 0
    best: float | None = None
    n_without_gain: int = 0
    n_in_stage: int = 0
    stage: int = 0
    stage_step: int = 0
    stopped: bool = False


def train(
    module: nn.Module,
    learner: Learner,
    data: ClipStore,
    validation: ClipStore | None,
    plan: TrainingPlan,
    *,
    seed: int,
    front_end: FrontEnd | None = None,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 20.0,
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    precision: Decision | None = None,
    history: PartHistory | None = None,
) -> Decision:
    """Train ``module`` in place, taking up a matching checkpoint where there is one.

    Batches, excerpts, dropout and transforms of a step depend on the seed and the number of the step alone, so
    that a training resumed at any step equals one that was never interrupted, bit for bit on a CPU.

    Parameters
    ----------
    module : nn.Module
        Initialised, on the device of ``data``.
    validation : ClipStore, optional
        Needed where the plan decides anything on it.
    front_end : FrontEnd, optional
        Where the features come from, for transforms that must know it.
    checkpoint : Path, optional
        File for the state of the training. It is left behind at the end, and taken up only by a training of the
        same seed, plan, network and data.
    checkpoint_every_s : float
        Seconds between checkpoints; 0 writes one after each epoch instead.
    precision : Decision, optional
        What "auto" in the plan stands for; decided here if not given.
    history : PartHistory, optional
        Given a row at the end of each epoch and after each validation. A training that is taken up gives those
        before its checkpoint first, so that an interrupted one gives the same rows as one that was not.

    Returns
    -------
    Decision
        The arithmetic of the training. One that is taken up goes on in that of its checkpoint, unless another is
        asked for: then it starts over.

    Raises
    ------
    SystemFailure
        If the loss or the gradient is not finite, the plan needs a validation split and there is none, or one of
        its transforms does not go with the features.
    """
    if plan.needs_validation and validation is None:
        raise SystemFailure(
            "the training plan decides on a validation split, but the system was given none; let its "
            "uses_validation return True"
        )
    with reproducible(data.device):
        training = _Training(module, learner, data, validation, plan, seed, front_end, precision, history)
        training.run(checkpoint, checkpoint_every_s, progress)
    return training.precision


class _Training:
    def __init__(
        self,
        module: nn.Module,
        learner: Learner,
        data: ClipStore,
        validation: ClipStore | None,
        plan: TrainingPlan,
        seed: int,
        front_end: FrontEnd | None,
        precision: Decision | None,
        history: PartHistory | None = None,
    ) -> None:
        self.module, self.learner, self.data, self.validation = in_layout(module, plan), learner, data, validation
        self.plan, self.seed = plan, seed
        self.optimiser = self._new_optimiser()
        self.n_steps = plan.n_steps(len(data))
        self.batch_size = min(plan.batch_size, len(data))
        self.precision = for_plan(plan.precision, data.device, precision)
        self.at = _Progress()
        self.best: dict[str, Tensor] = {}
        self.history = PartHistory() if history is None else history
        self.noted_epochs = -(-self._epoch(self.n_steps) // MOST_EPOCHS)
        self.rate = 0.0
        self.losses = StepLosses(data.device)
        self.given = given_of(data, plan, front_end, seed)
        if fault := first_fault(plan.augment, self.given):
            raise SystemFailure(f"augmentation by {fault}")
        self.identity = self._identity()

    def run(self, checkpoint: Path | None, every_s: float, report: Callable[[float, str], None]) -> None:
        if checkpoint is not None:
            self._resume(checkpoint)
        saved = reported = time.monotonic()
        while self.at.step < self.n_steps and not self.at.stopped:
            loss = self._step()
            epoch_done = self._epoch(self.at.step) > self._epoch(self.at.step - 1)
            last = self.at.step == self.n_steps
            validated = self._validate() if self._validation_due(epoch_done or last) else {}
            if validated or last or (epoch_done and self._epoch(self.at.step) % max(1, self.noted_epochs) == 0):
                self._note(validated)
            now = time.monotonic()
            if checkpoint is not None and (now - saved >= every_s if every_s else epoch_done):
                self.losses.check()
                self._save(checkpoint)
                saved = now
            if epoch_done or last or now - reported >= REPORT_EVERY_S:
                self.losses.check()
                report(self.at.step / self.n_steps, self._message(float(loss)))
                reported = now
        self.losses.check()
        if self.plan.select == "best" and self.best:
            self.module.load_state_dict(self.best)

    def _step(self) -> Tensor:
        plan, step, device = self.plan, self.at.step, self.data.device
        self.rate = rate = self._learning_rate()
        torch.manual_seed(torch_seed(self.seed, step))
        batch = self._batch(step)
        self.module.train()
        dtype = self.precision.dtype
        with torch.autocast(device.partition(":")[0], dtype=dtype, enabled=dtype != torch.float32):
            outputs = self.learner.forward(self.module, batch)
        outputs = as_float32(outputs)
        loss = self.learner.loss(outputs, batch)
        if batch.blend is not None:
            share, partner = batch.blend.share, replace(batch, labels=batch.blend.labels)
            loss = share * loss + (1.0 - share) * self.learner.loss(outputs, partner)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), plan.clip_gradient_norm or float("inf"))
        self.losses.watch(step, loss.detach(), norm, rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["rate_factor"]
        self.optimiser.step()
        self.at.step += 1
        return loss.detach()

    def _batch(self, step: int) -> Batch:
        short = self.plan.short_batches
        rows = batch_rows(len(self.data), self.batch_size, seed=self.seed, step=step, short=short)
        crop, length, starts = self.plan.crop, None, None
        if crop is not None:
            length = crop.length
            starts = crop_starts(self.data.n_frames, length, size=len(rows), seed=self.seed, step=step)
        before = partial(applied, [t for t in self.plan.augment if t.raw], given=self.given)
        progress = step / self.n_steps
        batch = self.data.batch(rows, starts=starts, length=length, step=step, progress=progress, change=before)
        return applied([t for t in self.plan.augment if not t.raw], batch, given=self.given)

    def _learning_rate(self) -> float:
        schedule, at = self.plan.schedule, self.at
        staged = schedule.stage_factor(at.stage, at.step - at.stage_step) if isinstance(schedule, Plateau) else 1.0
        return self.plan.learning_rate * staged * schedule.factor(at.step, self.n_steps)

    def _new_optimiser(self) -> Optimizer:
        plan = self.plan
        groups = [{"rate_factor": 1.0, **group} for group in self.learner.parameter_groups(self.module)]
        if plan.optimiser == "sgd":
            return SGD(
                groups,
                lr=plan.learning_rate,
                momentum=plan.momentum,
                nesterov=plan.nesterov,
                weight_decay=plan.weight_decay,
            )
        kind = Adam if plan.optimiser == "adam" else AdamW
        return kind(groups, lr=plan.learning_rate, weight_decay=plan.weight_decay)

    def _epoch(self, step: int) -> int:
        if self.plan.short_batches:
            return step // -(-len(self.data) // self.batch_size)
        return step * self.batch_size // len(self.data)

    def _validation_due(self, epoch_done: bool) -> bool:
        if self.validation is None or not self.plan.validate_every:
            return False
        if not (self.plan.needs_validation or self.learner.wants_validation(self.module)):
            return False
        if self.at.step == self.n_steps:
            return True
        done = self.at.step if self.plan.iterations is not None else self._epoch(self.at.step)
        if done <= self.plan.validate_after:
            return False
        return (epoch_done or self.plan.iterations is not None) and done % self.plan.validate_every == 0

    def _note(self, validated: Mapping[str, float]) -> None:
        loss, step = self.losses.mean(), self.at.step
        row = HistoryRow(step=step, epoch=self._epoch(step), learning_rate=self.rate, train_loss=loss, **validated)
        self.history.add(row)

    def _validate(self) -> dict[str, float]:
        """Validate and act on it; returns the loss, and the accuracy where it is what the plan monitors."""
        assert self.validation is not None
        result = evaluate(self.module, self.learner, self.validation, self.plan, with_loss=True)
        self.learner.validated(self.module, result)
        assert result.loss is not None
        if not math.isfinite(result.loss):
            raise SystemFailure(
                f"validation loss is {result.loss} after step {self.at.step}; lower the learning rate"
            )
        value = result.macro_accuracy() if self.plan.monitor == "accuracy" else -result.loss
        self._decide(value)
        accuracy = {"validation_accuracy": value} if self.plan.monitor == "accuracy" else {}
        return {"validation_loss": result.loss, **accuracy}

    def _decide(self, value: float) -> None:
        """Keep the weights, lower the learning rate or stop, by the value of a validation: higher is better."""
        if self.at.best is None or value > self.at.best:
            self.at.best, self.at.n_without_gain, self.at.n_in_stage = value, 0, 0
            if self.plan.select == "best" or self._restarts:
                self.best = {name: t.detach().clone() for name, t in self.module.state_dict().items()}
            return
        self.at.n_without_gain += 1
        self.at.n_in_stage += 1
        schedule = self.plan.schedule
        if isinstance(schedule, Plateau) and self.at.n_in_stage >= schedule.patience:
            self.at.stage, self.at.n_in_stage, self.at.stage_step = self.at.stage + 1, 0, self.at.step
            self.at.stopped = self.at.stage == schedule.n_stages
            if schedule.restart:
                self.module.load_state_dict(self.best)
                self.optimiser = self._new_optimiser()
            else:
                self.at.n_in_stage = 1
            if schedule.own_best:
                self.at.best = None
        if self.plan.patience is not None and self.at.n_without_gain >= self.plan.patience:
            self.at.stopped = True

    @property
    def _restarts(self) -> bool:
        return isinstance(self.plan.schedule, Plateau) and self.plan.schedule.restart

    def _message(self, loss: float) -> str:
        best = "" if self.at.best is None else f" best {self.plan.monitor} {abs(self.at.best):.3f}"
        if self.plan.epochs is None:
            return f"step {self.at.step}/{self.n_steps} loss {loss:.3f}{best}"
        epoch = min(self._epoch(self.at.step - 1) + 1, self.plan.epochs)
        return f"epoch {epoch}/{self.plan.epochs} loss {loss:.3f}{best}"

    def _identity(self) -> str:
        parts = {
            "seed": self.seed,
            "plan": repr(replace(self.plan, precision="auto")),
            "data": [store.fingerprint() for store in (self.data, self.validation) if store is not None],
            "tensors": [(name, tuple(t.shape)) for name, t in self.module.state_dict().items()],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _save(self, path: Path) -> None:
        tensors = {f"module/{name}": t for name, t in self.module.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in self.best.items()}
        for index, slots in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{slot}": t for slot, t in slots.items() if t is not None}
        facts = {
            "identity": self.identity,
            "precision": self.precision.precision,
            "progress": asdict(self.at),
            "history": [asdict(row) for row in self.history.rows],
            "losses": self.losses.state(),
        }
        write_tensors(path, tensors, facts)

    def _resume(self, path: Path) -> None:
        if not path.exists():
            return
        try:
            tensors, facts = read_tensors(path)
        except StoreError as error:
            _log.warning("checkpoint not used, training starts over: %s", error)
            return
        if facts["identity"] != self.identity:
            _log.warning("checkpoint %s belongs to another training, which starts over", path)
            return
        noted, wanted = facts["precision"], self.precision.precision
        if noted != wanted and (self.precision.fixed or self.plan.precision != "auto"):
            _log.warning("checkpoint %s is of training in %s, not %s: training starts over", path, noted, wanted)
            return
        self.precision = resumed_in(self.precision, noted)
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        self.module.load_state_dict(parts["module"])
        self.best = parts["best"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimiser"].items():
            index, _, slot = name.partition("/")
            state.setdefault(int(index), {})[slot] = tensor
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        self.at = _Progress(**facts["progress"])
        # Checkpoints of before there was a history lack both.
        self.history.restore(HistoryRow(**row) for row in facts.get("history", ()))
        self.losses.restore(facts.get("losses", (0.0, 0)))
