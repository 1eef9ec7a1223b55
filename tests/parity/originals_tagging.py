"""Outputs of the networks that were trained on AudioSet, all published in torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from tests.parity.sources import TORCHVISION, Outputs, convolution_of_torchvision, load
from tests.parity.values import drawn, kernel, long, uneven

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


def vggish_outputs(sources: Path) -> Outputs:
    """VGGish without the rectification at its end."""
    import torch

    from tests.parity.filling import fill

    vggish = load(sources / "torchvggish-0.2" / "torchvggish" / "torchvggish.py", {})
    network = fill(vggish.VGG(vggish.make_layers(), postprocess=False))
    network.embeddings = network.embeddings[:-1]
    with torch.inference_mode():
        return {"vggish": network(torch.from_numpy(drawn("examples", (2, 1, 96, 64)))).numpy()}
