"""All that the author of a system, a protocol, a statistic or a paper's table or figure imports."""

from asc_bench.budget import Budget
from asc_bench.clips import Clips, Features, LabelledClips
from asc_bench.data.manifest import Dataset, Split
from asc_bench.data.weights import cached_weights, how_to_fetch, verified_weights
from asc_bench.errors import AscBenchError, ConfigError, DataError, StoreError, SystemFailure
from asc_bench.features.frontends import FrontEnd, LogMel, Waveform, caa_net_log_mel
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.papers.figure import Drawn, Material, PaperFigure, Part
from asc_bench.papers.table import Cell, Finished, Reproduction, TransferTable
from asc_bench.protocol import Fold, Protocol, Reference
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.statistic import ScoredClips, Statistic, mean_of
from asc_bench.systems.base import Card, Context, DeviceUse, Params, Probabilities, Published, System, Task
from asc_bench.systems.sklearn_system import SklearnSystem
from asc_bench.systems.svm_system import Pooling, SvmSystem, pooled
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.training.plan import Constant, Cosine, Crop, Linear, Plateau, Step, TrainingPlan

__all__ = [
    "COARSE",
    "FINE",
    "AscBenchError",
    "Budget",
    "Card",
    "Cell",
    "Clips",
    "ConfigError",
    "Constant",
    "Context",
    "Cosine",
    "Crop",
    "DataError",
    "Dataset",
    "DeviceUse",
    "Drawn",
    "Features",
    "Finished",
    "Fold",
    "FrontEnd",
    "LabelSpace",
    "LabelledClips",
    "Linear",
    "LogMel",
    "Material",
    "Measure",
    "PaperFigure",
    "Params",
    "Part",
    "Plateau",
    "Pooling",
    "Probabilities",
    "Protocol",
    "Published",
    "Reference",
    "Reproduction",
    "ScoredClips",
    "SklearnSystem",
    "Split",
    "Statistic",
    "Step",
    "StoreError",
    "SvmSystem",
    "System",
    "SystemFailure",
    "Task",
    "TorchSystem",
    "TrainingPlan",
    "TransferTable",
    "Waveform",
    "caa_net_log_mel",
    "cached_weights",
    "how_to_fetch",
    "mean_of",
    "pooled",
    "verified_weights",
]
