"""Base of the neural systems: a front end, a network, a loss and a plan are all that a subclass gives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asc_bench.clips import Clips, LabelledClips
from asc_bench.errors import ConfigError, StoreError, SystemFailure
from asc_bench.labels import FINE
from asc_bench.systems.base import Context, Probabilities, System
from asc_bench.training.plan_changes import UNCHANGED, PlanChanges

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.features.frontends import FrontEnd
    from asc_bench.training.batches import Batch, Statistics
    from asc_bench.training.complexity import NetworkCost
    from asc_bench.training.evaluate import Evaluation, Outputs
    from asc_bench.training.plan import Crop, TrainingPlan
    from asc_bench.training.precision import Decision

_WEIGHTS = "weights.safetensors"
MOST_OF_A_CLIP = 20
"""How many clips an excerpt that a user asks for may be long: a slip of the pen fills the memory otherwise."""


class TorchSystem(System):
    """A network trained by the one loop.

    A subclass must give ``front_end``, ``build`` and ``training_plan``. It may replace ``forward`` (to hand
    the recording device to the network), ``loss``, ``probabilities`` (for several label levels, or outputs
    that are no logits), ``parameter_groups`` (weight decay on some layers only) and ``validated`` (to change
    a setting once the validation split says so; keep such a setting in a buffer of the network, and
    checkpoints will carry it).

    Attributes
    ----------
    module : nn.Module or None
        The network; None before ``fit`` or ``load``.
    """

    numerics_version: ClassVar[int | None] = 1

    checkpoint_every_s: ClassVar[float] = 20.0
    """Seconds between checkpoints of a training; 0 for one after each epoch."""

    module: nn.Module | None = None
    plan_changes: PlanChanges = UNCHANGED
    """What a user set in the training plan, see ``change_plan``."""
    _statistics: Statistics | None = None
    _device: str = "cpu"
    _precision: Decision | None = None

    @abstractmethod
    def build(self) -> nn.Module:
        """Make the network, freshly initialised; torch is seeded by the caller."""

    @abstractmethod
    def training_plan(self) -> TrainingPlan:
        """How it is trained at this budget."""

    def starting_network(self) -> nn.Module:
        """The network that a training starts from: a fresh one, unless a subclass has weights to start from."""
        return self.build()

    def prepared(self, module: nn.Module) -> nn.Module:
        """A network as its training begins, changed in place: all of it learns, unless a subclass freezes parts."""
        return module

    def change_plan(self, changes: PlanChanges) -> None:
        """Train as ``training_plan`` says but for some of its settings, from now on."""
        own = self.training_plan
        self.training_plan = lambda: changes.apply(own())  # type: ignore[method-assign]
        self.plan_changes = changes

    def plan_fault(self) -> str:
        """Why a plan that a user changed cannot be carried out; empty if it can, or is the system's own."""
        if not self.plan_changes:
            return ""
        from asc_bench.training.transforms.base import Given, first_fault

        try:
            plan = self.training_plan()
        except ConfigError as error:
            return str(error)
        front_end = self.network_front_end()
        shape = front_end.shape(self.task.clip_duration_s)
        if plan.crop is not None and plan.crop.length > MOST_OF_A_CLIP * shape[0]:
            return (
                f"plan.crop: excerpts of {plan.crop.length} frames, from clips of {shape[0]}: at most "
                f"{MOST_OF_A_CLIP} times as long, since shorter clips are repeated to fill them"
            )
        example = shape if plan.crop is None else (plan.crop.length, *shape[1:])
        if "plan.crop" in self.plan_changes.texts() and (fault := self._refuses(example)):
            return f"plan.crop: the network does not take examples of shape {example}: {fault}"
        given = Given(
            front_end=front_end,
            shape=example,
            standardised=plan.standardise != "none",
            devices=self.task.devices,
            network_reads_device=self.needs_device != "no",
        )
        fault = first_fault(plan.augment, given)
        return f"augmentation by {fault}" if fault else ""

    def _refuses(self, example: tuple[int, ...]) -> str:
        """Why the network cannot be applied to examples of this shape; empty if it can."""
        import torch

        from asc_bench.training.batches import Batch
        from asc_bench.training.device import reproducible

        with reproducible("cpu"), torch.no_grad():
            batch = Batch(features=torch.zeros(1, *example), device=torch.zeros(1, dtype=torch.int64))
            module = self.build().eval()
            try:
                self.forward(module, batch)
            except (RuntimeError, ValueError) as error:
                return str(error)
        return ""

    @property
    def augments_by_device(self) -> bool:
        """Whether a transform of the plan reads the names of the recording devices, which no network does."""
        return any(transform.reads_device for transform in self.training_plan().augment)

    def network_front_end(self) -> FrontEnd:
        """Of what the network is trained on: ``front_end`` unless it is given a part of the features only."""
        return self.front_end()

    def n_excerpts(self, crop: Crop) -> int:
        """How many test excerpts a clip of the task has."""
        return len(crop.test_starts(self.network_front_end().shape(self.task.clip_duration_s)[0]))

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network; by default on the features alone."""
        return module(batch.features)

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Loss of one batch, a scalar; by default cross-entropy of the fine logits."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, batch.labels[FINE])

    def probabilities(self, outputs: Outputs) -> Tensor | Mapping[str, Tensor]:
        """Class probabilities, or a mapping by label level; by default the softmax of the fine logits.

        Entries that are no label level of the task (such as ``"device"``) reach ``validated`` only.
        """
        probabilities: Tensor = outputs.softmax(dim=1)
        return probabilities

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Parameters for the optimiser; a group may set ``weight_decay``, or ``rate_factor`` for its rate."""
        return [{"params": [p for p in module.parameters() if p.requires_grad]}]

    def validated(self, module: nn.Module, validation: Evaluation) -> None:
        """Look at a validation before training goes on; by default nothing follows from it."""

    def wants_validation(self, module: nn.Module) -> bool:
        """Whether a validation now could still change anything; asked before each one that is due."""
        return True

    @property
    def uses_validation(self) -> bool:
        """Whether the plan looks at a validation split."""
        return self.training_plan().validate_every > 0

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Standardise, initialise and train, or take up the training that ``context.folder`` holds."""
        self.standardise_by(train, context)
        self.module = self.train_network(train, validation, context)

    def standardise_by(self, train: LabelledClips, context: Context) -> None:
        """Measure the training features as the plan says, and compute on the context's device from now on."""
        from asc_bench.training.batches import Statistics

        self._device = context.device
        self._statistics = Statistics.of(train.features, self.training_plan().standardise)

    def train_network(
        self,
        train: LabelledClips,
        validation: LabelledClips | None,
        context: Context,
        *,
        part: str = "training",
    ) -> nn.Module:
        """Build one network and train it; a system of several networks calls this once for each ``part``."""
        import torch

        from asc_bench.training.augmentation import check_lengths
        from asc_bench.training.batches import ClipStore
        from asc_bench.training.device import reproducible
        from asc_bench.training.loop import train as run_training
        from asc_bench.training.sampling import torch_seed

        self._check(train)
        plan, data = self.training_plan(), ClipStore(train, device=context.device, statistics=self._statistics)
        with reproducible(context.device):
            torch.manual_seed(torch_seed(context.seed, -1))
            module = self.prepared(self.starting_network()).to(context.device)
            check_lengths(module, self, data, plan, self.network_front_end())
        self._precision = run_training(
            module,
            self,
            data,
            None
            if validation is None
            else ClipStore(validation, device=context.device, statistics=self._statistics),
            plan,
            seed=context.seed,
            front_end=self.network_front_end(),
            checkpoint=context.folder / f"{part}.safetensors",
            checkpoint_every_s=self.checkpoint_every_s,
            progress=context.progress,
            precision=context.precision,
            history=context.history.part(part),
        )
        return module

    def predict(self, clips: Clips) -> Probabilities:
        """Mean over the test excerpts of each clip, in the plan's arithmetic of prediction."""
        from asc_bench.training.batches import ClipStore
        from asc_bench.training.device import reproducible
        from asc_bench.training.evaluate import evaluate

        store = ClipStore(clips, device=self._device, statistics=self._statistics)
        plan = self.training_plan()
        with reproducible(self._device):
            found = evaluate(self._fitted(), self, store, plan, precision=plan.test_precision).probabilities
        if self.task.labels.levels == (FINE,):
            return found[FINE]
        return {level: found[level] for level in self.task.labels.levels if level in found}

    def save(self, folder: Path) -> None:
        """Write the weights and the training split's statistics as ``weights.safetensors``."""
        from asc_bench.training.checkpoint import write_tensors

        tensors = {f"module/{name}": t for name, t in self._fitted().state_dict().items()}
        if self._statistics is not None:
            tensors |= {"statistics/mean": self._statistics.mean, "statistics/std": self._statistics.std}
        write_tensors(folder / _WEIGHTS, tensors, {"system": self.card.name, "params": repr(self.params)})

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote.

        Raises
        ------
        StoreError
            If the file is missing or damaged, or belongs to another system or other parameters.
        """
        from asc_bench.training.batches import Statistics
        from asc_bench.training.checkpoint import load_matching, read_tensors
        from asc_bench.training.device import in_layout

        tensors, facts = read_tensors(folder / _WEIGHTS)
        if facts.get("system") != self.card.name:
            raise StoreError(
                f"{folder / _WEIGHTS}: weights of {facts.get('system')!r}, expected {self.card.name!r}"
            )
        module = self.build()
        state = {name.removeprefix("module/"): t for name, t in tensors.items() if name.startswith("module/")}
        load_matching(module, state, source=str(folder / _WEIGHTS))
        self.module = in_layout(module, self.training_plan()).to(self._device)
        if "statistics/mean" in tensors:
            self._statistics = Statistics(tensors["statistics/mean"], tensors["statistics/std"])

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        self._device = device
        if self.module is not None:
            self.module.to(device)

    def facts(self) -> Mapping[str, str | int | float]:
        """The arithmetic of the training and why it is that one, and that of the test where it is another."""
        found: dict[str, str | int | float] = {} if self._precision is None else dict(self._precision.facts())
        test_precision = self.training_plan().test_precision
        return found if test_precision == "float32" else {**found, "test_precision": test_precision}

    def complexity(self) -> Mapping[str, int]:
        """Of the network, and of predicting one clip with all its test excerpts."""
        from asc_bench.training.complexity import count_parameters, count_stored

        cost = self.network_cost()
        module = self.module if self.module is not None else self.build()
        return {
            "n_parameters": count_parameters(module),
            "n_multiply_adds": cost.n_multiply_adds,
            "n_macs_dcase": cost.n_macs_dcase,
            **count_stored(module, trained=self.module is not None),
        }

    def network_cost(self) -> NetworkCost:
        """What predicting one clip costs, layer by layer, before a training or after it."""
        from asc_bench.training.complexity import network_cost

        module = self.module if self.module is not None else self.build()
        shape = self.network_front_end().shape(self.task.clip_duration_s)
        return network_cost(module, self, shape, self.training_plan())

    def _fitted(self) -> nn.Module:
        if self.module is None:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        return self.module

    def _check(self, clips: LabelledClips) -> None:
        labels = clips.labels.get(FINE)
        n_classes = len(self.task.labels.fine)
        if labels is None or len(labels) != len(clips):
            n_labels = "no" if labels is None else str(len(labels))
            raise SystemFailure(f"{self.card.name}: {len(clips)} clips but {n_labels} fine labels")
        if labels.min() < 0 or labels.max() >= n_classes:
            raise SystemFailure(
                f"{self.card.name}: labels from {labels.min()} to {labels.max()}, but the task has "
                f"{n_classes} classes"
            )
