"""CAA-Net: conditional (atrous) convolutions on a log-mel spectrogram with global attention pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    FINE,
    UNKNOWN_DEVICE,
    AnyParams,
    Budget,
    Card,
    Clips,
    ConfigError,
    Constant,
    Context,
    Cosine,
    DeviceUse,
    LabelledClips,
    LogMel,
    Params,
    Probabilities,
    Reason,
    Step,
    SystemFailure,
    TorchSystem,
    TrainingPlan,
    caa_net_log_mel,
)

from ._caa_net_settings import BEST_LAYER, CONDITIONAL, POOLINGS, CaaNetParams, published

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.api import Batch, Evaluation, Outputs

__all__ = ["BEST_LAYER", "POOLINGS", "CaaNet", "CaaNetParams", "load_authors_weights"]

_WIDTHS = (64, 128, 256, 512)
_DEVICE_WIDTHS = (64, 128)

DEVICE_ACCURACY = 0.98
"""Validation accuracy of the device branch at which its weight in the loss drops (section IV.B)."""

MIN_STEPS = 100
"""Of each device's own network, at the quick budget."""


class CaaNet(TorchSystem):
    """Ren et al.'s networks: three topologies, six global poolings, four training strategies."""

    numerics_version = 2
    card = Card(
        name="caa-net",
        title="CAA-Net",
        citation="Z. Ren, Q. Kong, J. Han, M. D. Plumbley and B. W. Schuller, CAA-Net: Conditional atrous "
        "CNNs with attention for explainable device-robust acoustic scene classification, IEEE Transactions "
        "on Multimedia 23, 2021",
        year=2021,
        input="64-band log-mel, 44.1 kHz, 32 frames per second",
        guesses=(
            "Where code and paper differ, the default follows the code, which made the numbers.",
            "Features are standardised per band by the training split; each device's own network by its own clips.",
            "The device branch counts as accurate while the mean of its accuracies on each device is 98 % of the "
            "validation clips or more; the authors looked at the test split, as --as-published does. With "
            "variant=code lambda returns to 1 when a later validation falls below, with variant=paper it stays.",
            "Training is in bfloat16 where the machine multiplies it natively, which facts name "
            "training_precision; the authors trained in single precision. Tests are in single precision on both "
            "sides.",
            "paper ends each epoch with a batch of the clips that are left, as the code does: 2 of the 7,202 of "
            "DCASE 2018.",
            "Tables II and III condition at the layer that Table I found best; for Table III this is a guess.",
            "quick lowers the learning rate by a cosine, because its few hundred steps would end in noise; there "
            "each device's own network trains for its share of the steps, at least 100. smoke also has a quarter "
            "of the width, without local pooling an eighth.",
        ),
        published=published(),
    )
    Params: ClassVar[type[Params]] = CaaNetParams
    params: CaaNetParams

    _share = 1.0
    """Of the training clips: less than one in the network of one device."""
    _own: tuple[CaaNet, ...] = ()
    """The networks of single-device training, in the order of ``task.devices``."""

    @property
    def needs_device(self) -> DeviceUse:
        """Single-device training and teacher forcing use the device label of every test clip."""
        uses: dict[str, DeviceUse] = {"joint": "no", "multi-task": "training"}
        return uses.get(self.params.training, "test")

    @property
    def uses_validation(self) -> bool:
        """Multi-task training watches the device branch there."""
        return super().uses_validation and not self.params.weights

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Conditioning needs devices to tell apart, and 16 frames are the least."""
        if built is None:
            return None
        devices, duration_s, training = built.task.devices, built.task.clip_duration_s, built.params.training
        n_frames = built.front_end().shape(duration_s)[0]
        if training in CONDITIONAL and len(devices) < 2:
            known = f"only one device ({devices[0]})" if devices else "no device"
            why = f"training={training} conditions on the recording device, and the data name {known}; use joint"
        elif built.needs_device == "test" and UNKNOWN_DEVICE in devices:
            why = f"training={training} knows only devices that it was trained on, and others are tested; use joint"
        elif training == "single-device" and not devices:
            why = "training=single-device trains one network for each device, and the data name none; use joint"
        elif n_frames < 16:
            why = f"clips of {duration_s:g} s have {n_frames} frames; pooling needs at least 16"
        else:
            return None
        return Reason("unsupported-task", why)

    def plan_fault(self) -> str:
        """Loaded weights are not trained."""
        if self.params.weights and self.plan_changes:
            return f"{self.plan_changes}: weights are loaded from a file, and nothing is trained"
        return super().plan_fault()

    def external_files(self) -> tuple[Path, ...]:
        """The checkpoint, if one is named."""
        return (Path(self.params.weights),) if self.params.weights else ()

    def front_end(self) -> LogMel:
        """The authors' own: 320 frames of 64 bands for 10 s."""
        return caa_net_log_mel()

    def build(self) -> nn.Module:
        """One network; for single-device training the one that each device gets."""
        from ._caa_net_network import CaaNetwork, Shape

        narrow = {Budget.SMOKE: 4 if self.params.topology == "cnn-pool" else 8}.get(self.budget, 1)
        frames, bands = self.front_end().shape(self.task.clip_duration_s)
        return CaaNetwork(
            Shape(
                topology=self.params.topology,
                pooling=self.params.pooling,
                widths=[width // narrow for width in _WIDTHS],
                device_widths=[width // narrow for width in _DEVICE_WIDTHS],
                n_classes=len(self.task.labels.fine),
                n_frames=frames,
                n_bands=bands,
                n_devices=len(self.task.devices) if self.params.training in CONDITIONAL else 0,
                condition_layer=self.params.condition_layer,
                predicts_device=self.params.training == "multi-task",
                mixture="geometric" if self.params.variant == "code" else "arithmetic",
            )
        )

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network; the device goes in only where it is given at test time, too."""
        return module(batch.features, batch.device if self.params.training == "teacher-forcing" else None)

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Negative log score of the true scene, and lambda times the device's cross-entropy (equation 2)."""
        from torch.nn.functional import cross_entropy, nll_loss

        assert isinstance(outputs, Mapping)
        loss = nll_loss(outputs["scene"], batch.labels[FINE])
        if "device" in outputs:
            assert batch.device is not None
            loss = loss + outputs["device_weight"] * cross_entropy(outputs["device"], batch.device)
        return loss

    def probabilities(self, outputs: Outputs) -> Mapping[str, Tensor]:
        """Scenes, and devices where they are predicted."""
        assert isinstance(outputs, Mapping)
        found = {FINE: outputs["scene"].softmax(dim=1)}
        if "device" in outputs:
            found["device"] = outputs["device"].softmax(dim=1)
        return found

    def validated(self, module: nn.Module, validation: Evaluation) -> None:
        """Lower lambda while the device branch is accurate (section IV.B, and the released code)."""
        from ._caa_net_network import FIRST_DEVICE_WEIGHT, LATER_DEVICE_WEIGHT, CaaNetwork

        assert isinstance(module, CaaNetwork) and validation.device is not None
        right = validation.probabilities["device"].argmax(axis=1) == validation.device
        by_device = [right[validation.device == d].mean() for d in np.unique(validation.device)]
        if np.mean(by_device) >= DEVICE_ACCURACY:
            module.device_weight.fill_(LATER_DEVICE_WEIGHT)
        elif self.params.variant == "code":
            module.device_weight.fill_(FIRST_DEVICE_WEIGHT)

    def wants_validation(self, module: nn.Module) -> bool:
        """As long as lambda can change: nothing else is decided on it."""
        from ._caa_net_network import FIRST_DEVICE_WEIGHT, CaaNetwork

        assert isinstance(module, CaaNetwork)
        return self.params.variant == "code" or float(module.device_weight) == FIRST_DEVICE_WEIGHT

    def training_plan(self) -> TrainingPlan:
        """Adam at 0.001, batches of 16; for ``paper`` 15,000 iterations (section IV.B), a validation every 100."""
        schedule: Constant | Cosine | Step = Cosine()
        if self.budget is Budget.PAPER:
            schedule = Constant() if self.params.variant == "code" else Step(every=200, gamma=0.9)
        iterations = {Budget.PAPER: 15_000, Budget.QUICK: 400, Budget.SMOKE: 60}[self.budget]
        if self.budget is Budget.QUICK:
            iterations = max(MIN_STEPS, round(iterations * self._share))
        every = {Budget.PAPER: 100, Budget.QUICK: 50, Budget.SMOKE: 20}[self.budget]
        return TrainingPlan(
            batch_size=16,
            iterations=iterations,
            learning_rate=1e-3,
            schedule=schedule,
            standardise="per-band",
            short_batches=self.budget is Budget.PAPER,
            precision="auto",
            channels_last=True,
            validate_every=every if self.params.training == "multi-task" else 0,
        )

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Train one network, or one for each device, or load the authors' weights."""
        if self.params.weights:
            self._load_weights(train, context)
        elif self.params.training == "single-device":
            self._fit_each_device(train, context)
        else:
            super().fit(train, validation, context)

    def predict(self, clips: Clips) -> Probabilities:
        """Scene probabilities; in single-device training from each clip's own network."""
        if self.params.training != "single-device":
            return super().predict(clips)
        found = self._by_device(clips, lambda own, part: _fine(own.predict(part)))
        return found if self.task.labels.levels == (FINE,) else {FINE: found}

    def attention(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Attention that was normalised over the bins (equation 5), in the resolution of the last maps.

        Raises
        ------
        ConfigError
            For a pooling without attention.
        """
        from ._caa_net_network import ATTENTIVE

        if self.params.pooling not in ATTENTIVE:
            raise ConfigError(f"caa-net: pooling={self.params.pooling} has no attention; att and roi+att have")
        if self.params.training == "single-device":
            return self._by_device(clips, lambda own, part: own.attention(part))
        return self._attention(clips)

    def save(self, folder: Path) -> None:
        """See ``TorchSystem.save``; single-device training writes one folder for each device."""
        if self.params.training != "single-device":
            super().save(folder)
        for own, place in self._folders(folder):
            place.mkdir(parents=True, exist_ok=True)
            own.save(place)

    def load(self, folder: Path) -> None:
        """See ``TorchSystem.load``."""
        if self.params.training != "single-device":
            super().load(folder)
            return
        self._own = tuple(self._of_one_device() for _ in self.task.devices)
        for own, place in self._folders(folder):
            own.load(place)

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        super().move_to(device)
        for own in self._own:
            own.move_to(device)

    def complexity(self) -> Mapping[str, int]:
        """Parameters of all networks; one of them predicts a clip."""
        if self.params.training != "single-device":
            return super().complexity()
        each = [own.complexity() for own in self._own] or [super().complexity()] * len(self.task.devices)
        once = ("n_multiply_adds", "n_macs_dcase")
        summed = {key: n if key in once else sum(one[key] for one in each) for key, n in each[0].items()}
        return {**summed, "n_device_models": len(each)}

    def facts(self) -> Mapping[str, str | int | float]:
        """Arithmetic of the training, and whether lambda ever dropped."""
        from ._caa_net_network import CaaNetwork

        found = dict(self._own[0].facts() if self._own else super().facts())
        if isinstance(self.module, CaaNetwork) and self.module.shape.predicts_device:
            found["device_weight_at_the_end"] = float(f"{float(self.module.device_weight):g}")
        return found

    def _of_one_device(self) -> CaaNet:
        own = CaaNet(self.task, replace(self.params, training="joint"), self.budget)
        own.change_plan(self.plan_changes)
        own.move_to(self._device)
        return own

    def _folders(self, folder: Path) -> list[tuple[CaaNet, Path]]:
        return [(own, folder / f"device{i}") for i, own in enumerate(self._own)]

    def _fit_each_device(self, train: LabelledClips, context: Context) -> None:
        assert train.device is not None
        self._device = context.device
        self._own = tuple(self._of_one_device() for _ in self.task.devices)
        n_parts = len(self._own)
        for i, (own, folder) in enumerate(self._folders(context.folder)):
            chosen = train.device == i
            if not chosen.any():
                raise SystemFailure(f"caa-net: no training clip of device {self.task.devices[i]}")
            own._share = float(chosen.mean())
            folder.mkdir(parents=True, exist_ok=True)

            def progress(fraction: float, text: str, i: int = i) -> None:
                context.progress((i + fraction) / n_parts, f"device {self.task.devices[i]}, {text}")

            own.fit(train.where(chosen), None, replace(context, folder=folder, progress=progress))

    def _by_device(
        self, clips: Clips, ask: Callable[[CaaNet, Clips], npt.NDArray[np.float32]]
    ) -> npt.NDArray[np.float32]:
        """Answers of each clip's own network, in the order of the clips."""
        if not self._own:
            raise SystemFailure("caa-net is neither fitted nor loaded; call fit or load first")
        assert clips.device is not None
        parts = [(clips.device == i, own) for i, own in enumerate(self._own)]
        answers = [(chosen, ask(own, clips.where(chosen))) for chosen, own in parts if chosen.any()]
        found = np.empty((len(clips), *answers[0][1].shape[1:]), dtype=np.float32)
        for chosen, answer in answers:
            found[chosen] = answer
        return found

    def _attention(self, clips: Clips) -> npt.NDArray[np.float32]:
        import torch

        from asc_bench.api import ClipStore, reproducible

        from ._caa_net_network import CaaNetwork

        module = self._fitted()
        assert isinstance(module, CaaNetwork)
        store = ClipStore(clips, device=self._device, statistics=self._statistics)
        found = []
        with reproducible(self._device), torch.inference_mode():
            for rows in np.array_split(np.arange(len(clips)), -(-len(clips) // 16)):
                batch = store.batch(rows)
                device = batch.device if self.params.training == "teacher-forcing" else None
                maps, _ = module.eval().maps(batch.features, device)
                found.append(module.attention.attention(maps).cpu().numpy())
        return np.concatenate(found)

    def _load_weights(self, train: LabelledClips, context: Context) -> None:
        from asc_bench.api import in_layout

        self.standardise_by(train, context)
        module = self.build()
        load_authors_weights(module, Path(self.params.weights))
        self.module = in_layout(module, self.training_plan()).to(context.device)


def load_authors_weights(module: nn.Module, path: Path) -> None:
    """Load a checkpoint as the released code writes it: a dict with the network under ``state_dict``.

    Raises
    ------
    StoreError
        If the file is missing, broken, or holds more than tensors and plain containers; or, with every
        difference, if it is of another network.
    """
    from asc_bench.api import foreign_tensors, load_foreign_state, load_matching

    state = foreign_tensors(load_foreign_state(path))
    # What the authors' networks have no name for: lambda, and the count of batches in very old versions of torch.
    for name, value in module.state_dict().items():
        if name == "device_weight" or name.endswith("num_batches_tracked"):
            state.setdefault(name, value)
    load_matching(module, state, source=str(path))


def _fine(given: Probabilities) -> npt.NDArray[np.float32]:
    return given[FINE] if isinstance(given, Mapping) else given
