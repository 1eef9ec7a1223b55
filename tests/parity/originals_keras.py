"""Outputs of the networks that were published in Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.parity.sources import Outputs, load
from tests.parity.values import bias, drawn, kernel, normalisation


def number(layer: Any) -> int:
    """Which of its kind: Keras names layers "dense", "dense_1" and so on, in the order in which they were made."""
    last = layer.name.rpartition("_")[2]
    return int(last) if last.isdigit() else 0


def fill_keras(model: Any) -> Any:
    """Give all layers the weights of their names, and take away the activation after the last."""
    from keras import activations, layers

    kinds = {"conv": (layers.Conv1D, layers.Conv2D), "norm": (layers.BatchNormalization,), "dense": (layers.Dense,)}
    for kind, classes in kinds.items():
        chosen = sorted((layer for layer in model.layers if isinstance(layer, classes)), key=number)
        for name, layer in ((f"{kind}{i}", layer) for i, layer in enumerate(chosen)):
            shape = layer.get_weights()[0].shape
            if kind == "norm":
                layer.set_weights(list(normalisation(name, shape[0])))
            else:
                *taps, n_in, n_out = shape
                values = kernel(name, (n_out, n_in, *taps))
                layer.set_weights([np.moveaxis(values, (0, 1), (-1, -2)), bias(name, n_out)])
    model.layers[-1].activation = activations.linear
    return model


def keras_outputs(sources: Path) -> Outputs:
    """Sample-CNN, Raw-CNN, N-CNN, whose channels stand last because of the CPU, and the baseline of DCASE 2018."""
    import keras
    import yaml

    found: Outputs = {}

    def ask(name: str, build: Callable[[], Any], inputs: npt.NDArray[np.float32]) -> None:
        keras.backend.clear_session()  # names of layers count from 0 again
        found[name] = fill_keras(build()).predict(inputs, verbose=0)

    changes = {".shape[-1].value": ".shape[-1]", "x = Input(tensor=x)": "pass"}
    resemul = load(sources / "resemul" / "model.py", changes).resemul

    def sample_cnn(block: str, multi: bool) -> Any:
        samples = keras.Input((59_049,))
        return keras.Model(samples, resemul(samples, block_type=block, multi=multi, num_classes=10))

    for block in ("basic", "se", "res", "rese"):
        for multi in (False, True):
            name = f"sample-cnn block={block} multi={multi}"
            ask(name, lambda b=block, m=multi: sample_cnn(b, m), 0.1 * drawn("samples", (2, 59_049)))

    moved = {f"keras.layers.{old}": "keras.layers" for old in ("convolutional", "core", "normalization")}
    changes = {"from constants import *": "AUDIO_LENGTH = 32_000", **moved}
    raw = load(sources / "very-deep-convnets-raw-waveforms" / "models.py", changes)
    waveform = drawn("waveform", (2, 32_000)).astype(np.float64)
    waveform = (waveform - waveform.mean(axis=1, keepdims=True)) / waveform.std(axis=1, keepdims=True)
    for depth in ("M3", "M5", "M11", "M18"):
        ask(f"raw-cnn depth={depth}", getattr(raw, depth.lower()), waveform.astype(np.float32)[..., None])

    first, last = "(1, params_extract.get('patch_len'), ", "params_extract.get('n_mels'))"
    changes = {
        "channels_first": "channels_last",
        "axis=1": "axis=-1",
        "name='dense_1'": "name='dense'",
        "name='prediction'": "name='dense_1'",
        f"{first}{last}": f"({first.removeprefix('(1, ')}{last.removesuffix(')')}, 1)",
    }
    n_cnn = load(sources / "icassp19" / "architectures.py", changes).get_model_baseline
    learning, extraction = {"n_classes": 10}, {"patch_len": 100, "n_mels": 96}
    ask("n-cnn", lambda: n_cnn(learning, extraction), drawn("patches", (2, 100, 96))[..., None])

    text = (sources / "dcase2018_baseline" / "task1" / "task1b.yaml").read_text(encoding="utf-8")
    model = yaml.safe_load(text.replace("!!null", ""))["defaults"]["learner_method_parameters"]["cnn"]["model"]
    sizes = {"CLASS_COUNT": 10, "FEATURE_VECTOR_LENGTH": 40, "INPUT_SEQUENCE_LENGTH": 500}
    constants = {**model["constants"], **sizes}

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(resolved(part) for part in value)
        return constants.get(value, value) if isinstance(value, str) else value

    def dcase2018() -> Any:
        made = [
            getattr(keras.layers, layer["class_name"])(
                **{k: resolved(v) for k, v in layer.get("config", {}).items()}
            )
            for layer in model["config"]
        ]
        return keras.Sequential(made)

    ask("dcase2018-baseline", dcase2018, drawn("bands", (2, 40, 500))[..., None])
    return found
