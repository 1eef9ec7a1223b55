"""Audio Spectrogram Transformer and CLAP, run by the package transformers from a folder on this machine."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.features.encoders.base import Encoder, Provenance, digest_of

_INSTALL = "pip install transformers"
_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class HuggingFace(Encoder):
    """A network in a folder as ``save_pretrained`` writes it, or as it is fetched from the Hub; nothing is fetched.

    Front end and network are those of transformers: the folder needs ``config.json``,
    ``preprocessor_config.json`` and ``model.safetensors``.
    """

    numerics_version: ClassVar[int | None] = 1
    needs: ClassVar[tuple[str, ...]] = ("transformers",)
    install: ClassVar[str] = _INSTALL
    model_type: ClassVar[str]
    longest_s: ClassVar[float]
    """Of what is longer the front end drops a part, at random in CLAP's case."""

    def lacking(self) -> str:
        """See ``Encoder.lacking``."""
        if self.weights:
            return ""
        return f"extractor {self.name} has no weights here: fetch {self.about.source} and give weights=FOLDER"

    def dimensions(self, n_samples: int) -> int:
        """Width of the embedding, from ``config.json``.

        Raises
        ------
        DataError
            For windows longer than the network hears.
        StoreError
            If the folder holds no network of this kind.
        """
        if n_samples > round(self.longest_s * self.sample_rate_hz):
            raise DataError(
                f"{self.title} hears {self.longest_s:g} s, not {n_samples / self.sample_rate_hz:g} s; "
                f"set window_s={self.longest_s:g} or less"
            )
        return self.width(self._config("config.json"))

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, 1, d)."""
        import torch

        self.dimensions(windows.shape[1])
        rate_hz = self._config("preprocessor_config.json").get("sampling_rate")
        if rate_hz != self.sample_rate_hz:
            raise ConfigError(
                f"{self.weights}: hears {rate_hz} Hz, {self.name} is known at {self.sample_rate_hz} Hz"
            )
        with _RUNNING, torch.inference_mode():
            front_end, network = self._ready()
            given = front_end(list(windows), sampling_rate=self.sample_rate_hz, return_tensors="pt")
            found: npt.NDArray[np.float32] = self.vectors(network, given.to(network.device)).cpu().float().numpy()
        return found[:, np.newaxis]

    def _ready(self) -> tuple[Any, Any]:
        """Front end and network, on a GPU where there is one."""
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        return _loaded(self.weights, tuple(digest_of(path) for path in self.files()), self.model_type, device)

    @abstractmethod
    def width(self, config: dict[str, Any]) -> int:
        """d by the network's settings."""

    @abstractmethod
    def vectors(self, network: Any, given: Any) -> Any:
        """Embeddings as a tensor, (n, d), of what the front end gave."""

    def _config(self, file: str) -> dict[str, Any]:
        path = Path(self.weights) / file
        try:
            config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        if file == "config.json" and config.get("model_type") != self.model_type:
            raise StoreError(
                f"{path}: a {config.get('model_type')!r}, extractor {self.name} is {self.model_type!r}"
            )
        return config


@dataclass(frozen=True, kw_only=True)
class Ast(HuggingFace):
    """768 numbers for each window: the mean of the two class tokens after the last normalisation."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "ast"
    about: ClassVar[Provenance] = Provenance(
        title="Audio Spectrogram Transformer",
        citation="Y. Gong, Y.-A. Chung and J. Glass, AST: Audio spectrogram transformer, Interspeech 2021",
        trained_on="ImageNet, then AudioSet",
        licence="see its page on the Hub; not checked here",
        source="huggingface.co/MIT/ast-finetuned-audioset-10-10-0.4593",
    )
    model_type: ClassVar[str] = "audio-spectrogram-transformer"
    longest_s: ClassVar[float] = 10.24

    sample_rate_hz: int = 16_000

    def width(self, config: dict[str, Any]) -> int:
        """Width of a token."""
        return int(config.get("hidden_size", 768))

    def vectors(self, network: Any, given: Any) -> Any:
        """See ``HuggingFace.vectors``."""
        return network(**given).pooler_output


@dataclass(frozen=True, kw_only=True)
class Clap(HuggingFace):
    """512 numbers for each window: the projected embedding of the audio, as it is compared with text."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "clap"
    about: ClassVar[Provenance] = Provenance(
        title="CLAP, LAION",
        citation="Y. Wu et al., Large-scale contrastive language-audio pretraining with feature fusion and "
        "keyword-to-caption augmentation, ICASSP 2023",
        trained_on="LAION-Audio-630K and AudioSet",
        licence="see its page on the Hub; not checked here",
        source="huggingface.co/laion/clap-htsat-unfused",
    )
    model_type: ClassVar[str] = "clap"
    longest_s: ClassVar[float] = 10.0

    sample_rate_hz: int = 48_000

    def width(self, config: dict[str, Any]) -> int:
        """Width that text and audio share."""
        return int(config.get("projection_dim", 512))

    def vectors(self, network: Any, given: Any) -> Any:
        """See ``HuggingFace.vectors``."""
        found = network.get_audio_features(**given)
        return getattr(found, "pooler_output", found)

    def of_texts(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], float]:
        """Embed sentences as the audio is, and the factor by which their cosines with it become logits.

        The folder also needs the tokenizer: ``tokenizer.json``, or what it is made from.

        Returns
        -------
        vectors : float32 ndarray, shape (n, d)
            As the network gives them.
        scale : float
            Of the audio's side, learnt with the network.

        Raises
        ------
        StoreError
            If the folder holds no such network, or no tokenizer that tells the sentences apart.
        """
        import torch

        self._config("config.json")
        with _RUNNING, torch.inference_mode():
            _, network = self._ready()
            given = _tokenizer(self.weights)(list(texts), padding=True, return_tensors="pt")
            if len(np.unique(given["input_ids"].numpy(), axis=0)) < len(texts):
                raise StoreError(f"{self.weights}: its tokenizer takes different sentences for the same")
            given = given.to(network.device)
            found = network.get_text_features(**given)
            vectors: npt.NDArray[np.float32] = getattr(found, "pooler_output", found).cpu().float().numpy()
            return vectors, float(network.logit_scale_a.exp())


def _tokenizer(folder: str) -> Any:
    import transformers

    # Without these transformers makes one that knows no word, and says nothing.
    if not any((Path(folder) / name).exists() for name in ("tokenizer.json", "vocab.json")):
        raise StoreError(f"{folder}: holds no tokenizer (tokenizer.json, or vocab.json and merges.txt)")
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise StoreError(f"{folder}: no tokenizer that can be read ({str(error).splitlines()[0]})") from error


@lru_cache(maxsize=1)
def _loaded(folder: str, files: tuple[str, ...], model_type: str, device: str) -> tuple[Any, Any]:
    """Front end and network; ``files`` are digests, so that another content is read anew."""
    from asc_bench.features.torchaudio_import import torchaudio

    torchaudio()  # before transformers, which cannot import it beside a CPU build of torch
    import transformers
    from safetensors import SafetensorError

    transformers.utils.logging.disable_progress_bar()  # the terminal shows the progress of the run
    front_ends = {"clap": "ClapFeatureExtractor", "audio-spectrogram-transformer": "ASTFeatureExtractor"}
    networks = {"clap": "ClapModel", "audio-spectrogram-transformer": "ASTModel"}
    local: dict[str, Any] = {"local_files_only": True}
    try:
        front_end = getattr(transformers, front_ends[model_type]).from_pretrained(folder, **local)
        network = getattr(transformers, networks[model_type]).from_pretrained(
            folder, **local, use_safetensors=True, dtype="float32"
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise StoreError(f"{folder}: transformers cannot load it ({str(error).splitlines()[0]})") from error
    return front_end, network.eval().to(device)
