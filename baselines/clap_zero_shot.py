"""CLAP without training: the class whose name, as a sentence, is most like the sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    UNKNOWN_SCENE,
    AnyParams,
    Card,
    Clap,
    Clips,
    ConfigError,
    Context,
    LabelledClips,
    Params,
    Reason,
    StoreError,
    System,
    SystemFailure,
)

if TYPE_CHECKING:
    from asc_bench.api import FrontEnd

_FILE = "sentences.safetensors"


@dataclass(frozen=True, kw_only=True)
class ClapZeroShotParams(Params):
    """The network, and the sentence for each class.

    Attributes
    ----------
    weights : str
        Folder of the network with its tokenizer, such as huggingface.co/laion/clap-htsat-unfused. Nothing is
        downloaded.
    prompt : str
        Sentence with ``{}`` in the place of the name of a class, whose underscores become blanks.
    window_s : float
        Cut each clip into windows of this length and take the mean of their embeddings; 0 for the whole clip, of
        10 s at most.
    """

    weights: str = ""
    prompt: str = "This is a sound of {}."
    window_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.weights:
            raise ConfigError(f"clap-zero-shot: no network is named: give weights=FOLDER of {Clap.about.source}")
        if self.prompt.count("{}") != 1 or self.prompt.count("{") + self.prompt.count("}") != 2:
            raise ConfigError(
                f"clap-zero-shot: prompt is {self.prompt!r}, must hold {{}} once, where the class stands"
            )
        try:
            _ = self.encoder
        except ConfigError as error:
            raise ConfigError(f"clap-zero-shot: {error}") from error

    @property
    def encoder(self) -> Clap:
        """What hears clips and reads sentences."""
        return Clap(weights=self.weights, window_s=self.window_s)


class ClapZeroShot(System):
    """Cosines between the embedding of a clip and those of the sentences, scaled as in training."""

    numerics_version = 1
    card = Card(
        name="clap-zero-shot",
        title="CLAP, zero-shot",
        citation="Y. Wu et al., Large-scale contrastive language-audio pretraining with feature fusion and "
        "keyword-to-caption augmentation, ICASSP 2023",
        year=2023,
        input="waveform at 48 kHz",
        guesses=(
            "Nothing is fitted: training and validation clips are not heard, and every seed gives the same.",
            "One sentence for each class, the class's name with underscores as blanks; better names or several "
            "sentences would be a choice by somebody who knows the classes.",
            "Longer clips: windows that do not overlap, the mean of their embeddings.",
            "The published weights were not at hand: held against transformers 5.24 with random ones.",
        ),
    )
    Params: ClassVar[type[Params]] = ClapZeroShotParams
    params: ClapZeroShotParams

    _vectors: npt.NDArray[np.float32] | None = None
    _scale: float = 1.0

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without transformers, in open sets, or with windows longer than the clips."""
        if isinstance(params, ClapZeroShotParams) and (absent := params.encoder.absent()):
            return Reason("missing-dependency", absent)
        if built is not None:
            if UNKNOWN_SCENE in built.task.labels.fine:
                return Reason("unsupported-task", f"the class {UNKNOWN_SCENE!r} has no sound that a sentence names")
            duration_s, window_s = built.task.clip_duration_s, built.params.window_s
            if window_s > duration_s:
                return Reason("unsupported-task", f"windows of {window_s:g} s in clips of {duration_s:g} s")
        return None

    def external_files(self) -> tuple[Path, ...]:
        """All files of the folder."""
        return self.params.encoder.files()

    def front_end(self) -> FrontEnd:
        """The audio's side: embeddings lie in the cache of features, shared with the other systems on CLAP."""
        return self.params.encoder

    def sentences(self) -> list[str]:
        """One for each class, in the order of the classes.

        Examples
        --------
        >>> from asc_bench.api import LabelSpace, Task
        >>> task = Task(labels=LabelSpace(("metro_station", "park")), devices=(), clip_duration_s=10.0)
        >>> ClapZeroShot(task, ClapZeroShotParams(weights="clap")).sentences()
        ['This is a sound of metro station.', 'This is a sound of park.']
        """
        return [self.params.prompt.format(name.replace("_", " ")) for name in self.task.labels.fine]

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Embed the sentences; no clip is read."""
        vectors, self._scale = self.params.encoder.of_texts(self.sentences())
        self._vectors = _unit(vectors)
        context.progress(1.0, f"{len(vectors)} sentences embedded")

    def predict(self, clips: Clips) -> npt.NDArray[np.float32]:
        """Softmax of the scaled cosines, (n_clips, n_classes)."""
        from scipy.special import softmax

        if self._vectors is None:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        heard = _unit(clips.features[slice(None)][:, 0])
        return np.asarray(softmax(self._scale * heard @ self._vectors.T, axis=1), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the embeddings of the sentences and the scale."""
        import torch

        from asc_bench.api import write_tensors

        if self._vectors is None:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        tensors = {"vectors": torch.from_numpy(self._vectors), "scale": torch.tensor(self._scale)}
        write_tensors(folder / _FILE, tensors, self._written_for())

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote.

        Raises
        ------
        StoreError
            If the file is missing or damaged, or was written with other settings, classes or weights.
        """
        from asc_bench.api import read_tensors

        tensors, facts = read_tensors(folder / _FILE)
        for what, mine in self._written_for().items():
            if facts.get(what) != mine:
                raise StoreError(f"{folder / _FILE}: written for {what} {facts.get(what)!r}, not {mine!r}")
        self._vectors, self._scale = tensors["vectors"].numpy(), float(tensors["scale"])

    def facts(self) -> Mapping[str, str | int | float]:
        """The first sentence as an example, and where the weights come from."""
        about = self.params.encoder.about
        return {
            "sentence": self.sentences()[0],
            "weights_from": about.source,
            "weights_licence": about.licence,
        }

    def _written_for(self) -> dict[str, str]:
        encoder = self.params.encoder
        return {
            "system": self.card.name,
            "sentences": " ".join(self.sentences()),
            "encoder": str({name: value for name, value in encoder.key().items() if name != "packages"}),
        }


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows of length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
