"""Outputs of the networks for scenes that were published in torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.parity.sources import TORCHVISION, Outputs, convolution_of_torchvision, load
from tests.parity.values import drawn, one_second

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


def scene_outputs(sources: Path) -> Outputs:
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
