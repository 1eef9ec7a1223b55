"""Run the authors' code on the numbers of ``values`` and write what it gives to ``outputs.json``.

Usage, once in each environment::

    pip install tensorflow-cpu==2.15.1 'numpy<2' pyyaml;  python -m tests.parity.originals keras SOURCES
    pip install torch torchvision;                        python -m tests.parity.originals torch SOURCES
    pip install torch;                                    python -m tests.parity.originals vggish SOURCES

``SOURCES`` holds clones of the repositories in ``REPOSITORIES``, at these commits, or for VGGish the archive of
torchvggish 0.2 from PyPI (Apache-2.0), unpacked. Their texts are changed where today's Python, Keras or torch would
not run them, and nowhere else. Only outputs are kept, and nothing is copied: resemul, dcase2024_task1_baseline,
cpjku_dcase20 and cpjku_dcase23 carry no licence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import numpy.typing as npt

from tests.parity.values import bias, drawn, kernel, long, normalisation, one_second, uneven

OUTPUTS = Path(__file__).parent / "outputs.json"

REPOSITORIES = {
    "resemul": ("github.com/tae-jun/resemul", "f2c2c80"),
    "very-deep-convnets-raw-waveforms": ("github.com/philipperemy/very-deep-convnets-raw-waveforms", "c8bb551"),
    "icassp19": ("github.com/edufonseca/icassp19", "3d7ed3e"),
    "dcase2018_baseline": ("github.com/DCASE-REPO/dcase2018_baseline", "5c5a0f6"),
    "dcase2024_task1_baseline": ("github.com/CPJKU/dcase2024_task1_baseline", "9948d19"),
    "cpjku_dcase20": ("github.com/kkoutini/cpjku_dcase20", "792ab5d"),
    "CAANet_DCASE_ASC": ("github.com/EIHW/CAANet_DCASE_ASC", "eaaf9b3"),
    "audioset_tagging_cnn": ("github.com/qiuqiangkong/audioset_tagging_cnn", "d2f4b8c"),
    "EfficientAT": ("github.com/fschmid56/EfficientAT", "a425fdc"),
    "cpjku_dcase23": ("github.com/fschmid56/cpjku_dcase23", "2e20aba"),
    "easy_dcase_task1": ("github.com/yqcai888/easy_dcase_task1", "e5430fb"),
    "PaSST": ("github.com/kkoutini/PaSST", "2a5c818"),
    "unilm": ("github.com/microsoft/unilm", "768a3c8"),
}
"""Folder, address and commit."""

CAA_NET_CLASSES: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "cnn-pool": {
        "flatten": ("DecisionLevelFlatten", 1),
        "max": ("DecisionLevelMaxPooling", 2),
        "avg": ("DecisionLevelAvgPooling", 4),
        "att": ("DecisionLevelSingleAttention", 3),
    },
    "cnn-no-pool": {
        "max": ("CnnNoPooling_Max", 2),
        "avg": ("CnnNoPooling_Avg", 1),
        "roi": ("CnnNoPooling_roi", 1),
        "att": ("CnnNoPooling_Attention", 1),
        "roi+att": ("CnnNoPooling_roi_attention", 1),
    },
    "atrous": {
        "max": ("CnnAtrous_Max", 2),
        "avg": ("CnnAtrous_Avg", 3),
        "roi": ("CnnAtrous_roi", 3),
        "att": ("CnnAtrous_Attention", 4),
        "roi+att": ("CnnAtrous_roi_attention", 3),
    },
}
"""Class and layer of the condition, by topology and pooling."""

PANNS_CLASSES = {"cnn6": "Cnn6", "cnn10": "Cnn10", "cnn14": "Cnn14", "mobilenet-v1": "MobileNetV1"}

BEATS_CFG: Mapping[str, Any] = {
    "input_patch_size": 16,
    "embed_dim": 512,
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3_072,
    "encoder_attention_heads": 12,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "num_buckets": 320,
    "max_distance": 800,
    "activation_fn": "gelu",
    "deep_norm": True,
    "gru_rel_pos": True,
    "relative_position_embedding": True,
}
"""What the published checkpoints of BEATs hold under ``cfg``, but for what matters in training alone."""

SMALL_BEATS = {
    **BEATS_CFG,
    "embed_dim": 24,
    "encoder_layers": 2,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "conv_pos": 16,
    "conv_pos_groups": 4,
}

Outputs = dict[str, npt.NDArray[Any]]


def load(path: Path, changes: Mapping[str, str], given: Mapping[str, Any] | None = None) -> ModuleType:
    """The module in a file, with parts of its text replaced, and some names known to it."""
    text = path.read_text(encoding="utf-8").expandtabs(8)
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"{path}: {old!r} is not in it; is this the commit that REPOSITORIES names?")
        text = text.replace(old, new)
    module = ModuleType(path.stem)
    vars(module).update({name: value for name, value in (given or {}).items() if not name.startswith("__")})
    exec(compile(text, str(path), "exec"), vars(module))  # what this file is for
    return module


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


def torch_outputs(sources: Path) -> Outputs:
    """The baseline of DCASE 2024, CP-ResNet, and CAA-Net, whose code is of Python 2 and asks for a GPU."""
    import torch

    from tests.parity.filling import fill, fill_by_key

    found: Outputs = {}
    sys.path.insert(0, str(sources / "dcase2024_task1_baseline"))
    from models.baseline import get_model

    small = fill(get_model(n_classes=10, base_channels=32, channels_multiplier=1.8, expansion_rate=2.1))
    seconds = torch.from_numpy(drawn("seconds", (2, 1, 256, 65)))
    with torch.inference_mode():
        found["dcase2024-baseline"] = small(seconds).numpy()
        found["dcase2024-baseline half"] = small.half()(seconds.half()).float().numpy()

    changes = {
        "import shared_globals": "",
        "from utils_funcs import update_dict": "update_dict = lambda old, new: {**old, **new}",
    }
    of_rho = load(sources / "cpjku_dcase20" / "models" / "cp_resnet.py", changes).get_model_based_on_rho
    decibels = torch.from_numpy(drawn("decibels", (2, 1, 256, 43)))
    for rho in (3, 5, 7, 8):
        regular = fill(of_rho(rho, "cp_resnet", model_config_overrides={"input_shape": [10, 1, -1, -1]}))
        with torch.inference_mode():
            found[f"cp-resnet rho={rho}"] = regular(decibels).numpy()

    changes = {
        "seq_len/": "seq_len//",
        "mel_bins/": "mel_bins//",
        "(device_onehot, True)": "(device_onehot, False)",
    }
    networks = load(sources / "CAANet_DCASE_ASC" / "pytorch-pred" / "models_pytorch.py", changes)
    for topology, poolings in CAA_NET_CLASSES.items():
        for pooling, (kind, layer) in poolings.items():
            network = fill_by_key(getattr(networks, kind)(10, 3, layer))
            n_clips, n_frames = 1 if pooling == "roi" else 2, 320 if pooling in ("flatten", "roi") else 32
            frames = torch.from_numpy(drawn(f"{n_frames} frames", (n_clips, n_frames, 64)))
            with torch.inference_mode():
                name = f"caa-net topology={topology} pooling={pooling} condition_layer={layer}"
                found[name] = torch.cat(network(frames), dim=1).numpy()
    others = (panns_outputs, efficientat_outputs, low_complexity_outputs, passt_outputs, beats_outputs)
    return found | {name: rows for outputs in others for name, rows in outputs(sources).items()}


def beats_outputs(sources: Path) -> Outputs:
    """Logits of BEATs from the normalised filterbank: the published size on a second, a small one on 20 s."""
    import torch

    from tests.parity.filling import fill_by_key

    folder = sources / "unilm" / "beats"
    first = "from modules import (\n    GradMultiply,\n    SamePad,\n    get_activation_fn,\n    GLU_Linear,\n"
    modules = load(folder / "modules.py", {})
    encoder = load(folder / "backbone.py", {f"{first}    quant_noise,\n)": ""}, vars(modules))
    changes = {
        "from backbone import (\n    TransformerEncoder,\n)": "",
        "import torchaudio.compliance.kaldi as ta_kaldi": "",
        "self.preprocess(source, fbank_mean=fbank_mean, fbank_std=fbank_std)": "source",
        "torch.sigmoid(logits)": "logits",
    }
    beats = load(folder / "BEATs.py", changes, vars(encoder))
    found: Outputs = {}
    for name, (settings, frames) in {"published": (BEATS_CFG, uneven(128)), "small": (SMALL_BEATS, long())}.items():
        cfg = beats.BEATsConfig({**settings, "finetuned_model": True, "predictor_class": 10})
        network = fill_by_key(beats.BEATs(cfg))
        # All layers share one table of positions, which was filled under the name of each.
        table = "encoder.layers.0.self_attn.relative_attention_bias.weight"
        shared = network.get_parameter(table)
        shared.data = torch.from_numpy(kernel(table, tuple(shared.shape)))
        with torch.inference_mode():
            found[f"beats {name}"] = network.extract_features(torch.from_numpy(frames))[0].numpy()
    return found


def panns_outputs(sources: Path) -> Outputs:
    """Logits of the networks of PANNs from decibels; their front end is left out, and so is torchlibrosa."""
    import torch

    from tests.parity.filling import fill_by_key

    changes = {
        "from torchlibrosa.stft import Spectrogram, LogmelFilterBank": "Spectrogram = LogmelFilterBank = dict",
        "from torchlibrosa.augmentation import SpecAugmentation": "SpecAugmentation = dict",
        "from pytorch_utils import do_mixup, interpolate, pad_framewise_output": "",
        "x = self.spectrogram_extractor(input)": "x = input.unsqueeze(1)",
        "x = self.logmel_extractor(x)": "",
        "torch.sigmoid(self.fc_audioset(x))": "self.fc_audioset(x)",
    }
    networks = load(sources / "audioset_tagging_cnn" / "pytorch" / "models.py", changes)
    frames = torch.from_numpy(uneven(64))
    found: Outputs = {}
    for name, kind in PANNS_CLASSES.items():
        network = fill_by_key(getattr(networks, kind)(32_000, 1_024, 320, 64, 50, 14_000, 10))
        with torch.inference_mode():
            found[f"panns network={name}"] = network(frames)["clipwise_output"].numpy()
    return found


TORCHVISION = "from torchvision.ops.misc import ConvNormActivation"


def convolution_of_torchvision(
    n_in: int,
    n_out: int,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int | None = None,
    *,
    norm_layer: Callable[[int], Any] | None = None,
    inplace: bool = True,
    **rest: Any,
) -> Any:
    """Torchvision's convolution with norm and activation, written out."""
    from torch import nn

    activation = rest.pop("activation_layer", nn.ReLU)
    side = (kernel_size - 1) // 2 if padding is None else padding
    inner = nn.Conv2d(n_in, n_out, kernel_size, stride, side, bias=False, **rest)
    return nn.Sequential(inner, (norm_layer or nn.BatchNorm2d)(n_out), *([activation()] if activation else []))


def efficientat_outputs(sources: Path) -> Outputs:
    """Logits of EfficientAT's networks of two widths.

    The dynamic ones are run at the first and at the last temperature of their training, and normalise by the batch:
    with statistics of ours their answers would hardly depend on the clip.
    """
    import torch

    from tests.parity.filling import fill_by_key, fill_dynamic

    folder = sources / "EfficientAT" / "models" / "mn"
    utils = load(folder / "utils.py", {})
    blocks = load(
        folder / "block_types.py",
        {TORCHVISION: "", "from models.mn.utils import make_divisible, cnn_out_size": ""},
        {"ConvNormActivation": convolution_of_torchvision, **vars(utils)},
    )
    changes = {
        TORCHVISION: "",
        "from models.mn.utils import cnn_out_size": "",
        "from models.mn.block_types import InvertedResidualConfig, InvertedResidual": "",
        "from models.mn.attention_pooling import MultiHeadAttentionPooling": "",
        "from helpers.utils import NAME_TO_WIDTH": "",
        "print(m)": "",
    }
    get_model = load(folder / "model.py", changes, vars(blocks)).get_model
    frames = torch.from_numpy(uneven(128))
    found: Outputs = {}
    for width in (0.4, 1.0):
        network = fill_by_key(get_model(num_classes=10, width_mult=width))
        with torch.inference_mode():
            found[f"efficientat width={width}"] = network(frames.transpose(1, 2).unsqueeze(1))[0].numpy()

    folder = sources / "EfficientAT" / "models" / "dymn"
    dynamic = load(
        folder / "dy_block.py",
        {"from models.dymn.utils import make_divisible, cnn_out_size": ""},
        vars(load(folder / "utils.py", {})),
    )
    changes = {
        TORCHVISION: "",
        "from models.dymn.dy_block import DynamicInvertedResidualConfig, DY_Block, DynamicConv, DyReLUB": "",
        "from models.mn.block_types import InvertedResidualConfig, InvertedResidual": "",
        "print(m)": "",
    }
    get_model = load(folder / "model.py", changes, {**vars(blocks), **vars(dynamic)}).get_model
    for width in (0.4, 1.0):
        network = fill_dynamic(get_model(num_classes=10, width_mult=width)).train()
        network.classifier.eval()  # without dropout
        for temperature in (30, 1):
            for layer in network.modules():
                if isinstance(layer, dynamic.DynamicConv):
                    layer.temperature = temperature
            with torch.inference_mode():
                logits = network(frames.transpose(1, 2).unsqueeze(1))[0].numpy()
            found[f"efficientat network=dymn width={width} temperature={temperature}"] = logits
    return found


def low_complexity_outputs(sources: Path) -> Outputs:
    """Logits of CP-Mobile with its response normalisation at work, the small CP-ResNet, and TF-SepNet."""
    import torch

    from tests.parity.filling import fill, fill_response_norms

    models = sources / "cpjku_dcase23" / "models"
    divisible = load(models / "helpers" / "utils.py", {})
    cp_mobile = load(
        models / "cp_mobile_clean.py",
        {"from models.helpers.utils import make_divisible": "", TORCHVISION: "", "print(m)": ""},
        {"ConvNormActivation": convolution_of_torchvision, **vars(divisible)},
    )
    networks = {"cp-mobile": fill_response_norms(fill(cp_mobile.get_model()))}
    small = load(models / "cp_resnet.py", {"first_RUN = True": "first_RUN = False", "print(b.layer": "(b.layer"})
    networks |= {f"cp-resnet-128k rho={rho}": fill(small.get_model(rho=rho)) for rho in (3, 5, 8)}
    folder = sources / "easy_dcase_task1" / "model"
    parts = {**vars(load(folder / "shared.py", {})), **vars(load(folder / "classifiers.py", {}))}
    changes = {f"from model.{name} import": "# " for name in ("classifiers", "beats.BEATs", "shared")}
    separate = load(folder / "backbones.py", changes, parts).TFSepNet
    networks |= {f"tf-sepnet depth={depth}": fill(separate(depth=depth)) for depth in (16, 17)}
    found: Outputs = {}
    for name, network in networks.items():
        n_bands = 512 if name.startswith("tf-sepnet") else 256
        with torch.inference_mode():
            found[name] = network(torch.from_numpy(one_second(n_bands)).transpose(1, 2).unsqueeze(1)).numpy()
    return found


def passt_outputs(sources: Path) -> Outputs:
    """Logits of PaSST-S with two strides, as it tests; the part that loads weights is left out."""
    import torch

    from tests.parity.filling import fill_places

    changes = {
        "from .helpers.vit_helpers import update_default_cfg_and_kwargs, DropPath, trunc_normal_, "
        "build_model_with_cfg": "from torch.nn.init import trunc_normal_",
        "from ba3l.ingredients.ingredient import Ingredient": "",
    }
    networks = load(sources / "PaSST" / "models" / "passt.py", changes, {"Ingredient": MagicMock()})
    frames = torch.from_numpy(uneven(128) / 10)
    found: Outputs = {}
    for stride in (10, 16):
        network = fill_places(networks.PaSST(stride=(stride, stride), num_classes=10, distilled=True))
        with torch.inference_mode():
            found[f"passt stride={stride}"] = network(frames.transpose(1, 2).unsqueeze(1))[0].numpy()
    return found


def vggish_outputs(sources: Path) -> Outputs:
    """VGGish without the rectification at its end."""
    import torch

    from tests.parity.filling import fill

    vggish = load(sources / "torchvggish-0.2" / "torchvggish" / "torchvggish.py", {})
    network = fill(vggish.VGG(vggish.make_layers(), postprocess=False))
    network.embeddings = network.embeddings[:-1]
    with torch.inference_mode():
        return {"vggish": network(torch.from_numpy(drawn("examples", (2, 1, 96, 64)))).numpy()}


def main(library: str, sources: Path) -> None:
    """Replace the outputs of one library's networks, to seven digits."""
    found = {"keras": keras_outputs, "torch": torch_outputs, "vggish": vggish_outputs}[library](sources)
    kept = json.loads(OUTPUTS.read_text(encoding="utf-8")) if OUTPUTS.exists() else {}
    rounded = {name: [[float(f"{x:.7g}") for x in row] for row in rows.tolist()] for name, rows in found.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in sorted({**kept, **rounded}.items())]
    OUTPUTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
