"""All that the author of a system, a protocol, a statistic or a paper's table or figure imports.

A name is loaded when it is taken, so that a protocol or a statistic does not wait for torch. Take names that need
torch, such as ``Batch`` and ``reproducible``, inside methods or under ``TYPE_CHECKING``. Building blocks of
networks are in ``asc_bench.modules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asc_bench.analysis.attention import attention_maps as attention_maps
    from asc_bench.analysis.embedding import embeddings as embeddings
    from asc_bench.analysis.explanation import attention_limits as attention_limits
    from asc_bench.analysis.filters import Responses as Responses
    from asc_bench.analysis.filters import magnitude_responses as magnitude_responses
    from asc_bench.analysis.filters import mel_curve_hz as mel_curve_hz
    from asc_bench.analysis.landscape import Landscape as Landscape
    from asc_bench.analysis.landscape import Plane as Plane
    from asc_bench.analysis.landscape import landscape as landscape
    from asc_bench.analysis.landscape import mean_loss as mean_loss
    from asc_bench.analysis.landscape_figure import draw_landscapes as draw_landscapes
    from asc_bench.analysis.spectrogram import log_mel_of as log_mel_of
    from asc_bench.analysis.spectrogram import show_bins as show_bins
    from asc_bench.budget import Budget as Budget
    from asc_bench.clips import UNKNOWN_DEVICE as UNKNOWN_DEVICE
    from asc_bench.clips import Clips as Clips
    from asc_bench.clips import Features as Features
    from asc_bench.clips import LabelledClips as LabelledClips
    from asc_bench.data import tags as tags
    from asc_bench.data.layouts import FolderLayout as FolderLayout
    from asc_bench.data.layouts import Layout as Layout
    from asc_bench.data.layouts import OfficialLayout as OfficialLayout
    from asc_bench.data.layouts import cochlscene as cochlscene
    from asc_bench.data.layouts import dcase2017_task4 as dcase2017_task4
    from asc_bench.data.layouts import esc50 as esc50
    from asc_bench.data.layouts import greatest_hits as greatest_hits
    from asc_bench.data.layouts import tau_mobile as tau_mobile
    from asc_bench.data.layouts import tut_2017 as tut_2017
    from asc_bench.data.layouts import tut_mobile as tut_mobile
    from asc_bench.data.layouts import urban as urban
    from asc_bench.data.levels import QUIET as QUIET
    from asc_bench.data.manifest import Dataset as Dataset
    from asc_bench.data.manifest import Split as Split
    from asc_bench.data.splits import check_disjoint as check_disjoint
    from asc_bench.data.splits import cut_validation as cut_validation
    from asc_bench.data.taxonomy import merged_label as merged_label
    from asc_bench.data.taxonomy import taxonomy as taxonomy
    from asc_bench.data.views import VIEWS as VIEWS
    from asc_bench.data.weights import cached_weights as cached_weights
    from asc_bench.data.weights import how_to_fetch as how_to_fetch
    from asc_bench.data.weights import verified_weights as verified_weights
    from asc_bench.errors import AscBenchError as AscBenchError
    from asc_bench.errors import ConfigError as ConfigError
    from asc_bench.errors import DataError as DataError
    from asc_bench.errors import StoreError as StoreError
    from asc_bench.errors import SystemFailure as SystemFailure
    from asc_bench.features.encoders.base import Encoder as Encoder
    from asc_bench.features.encoders.base import centred_windows as centred_windows
    from asc_bench.features.encoders.base import n_centred_windows as n_centred_windows
    from asc_bench.features.encoders.cnn14 import panns_log_mel as panns_log_mel
    from asc_bench.features.encoders.foreign import foreign_tensors as foreign_tensors
    from asc_bench.features.encoders.foreign import load_foreign_state as load_foreign_state
    from asc_bench.features.encoders.hugging_face import Clap as Clap
    from asc_bench.features.encoders.table import ENCODERS as ENCODERS
    from asc_bench.features.encoders.table import encoder as encoder
    from asc_bench.features.encoders.vggish import Vggish as Vggish
    from asc_bench.features.frontends import FrontEnd as FrontEnd
    from asc_bench.features.frontends import LogMel as LogMel
    from asc_bench.features.frontends import Waveform as Waveform
    from asc_bench.features.frontends import caa_net_log_mel as caa_net_log_mel
    from asc_bench.features.hpss import SeparatedLogMel as SeparatedLogMel
    from asc_bench.features.joint import JointFrontEnd as JointFrontEnd
    from asc_bench.features.kaldi_fbank import KaldiFbank as KaldiFbank
    from asc_bench.features.kaldi_mel import KaldiLogMel as KaldiLogMel
    from asc_bench.features.levelled import LevelledLogMel as LevelledLogMel
    from asc_bench.features.mfcc import Mfcc as Mfcc
    from asc_bench.features.resampled import ResampledLogMel as ResampledLogMel
    from asc_bench.features.spectral import SpectralFrontEnd as SpectralFrontEnd
    from asc_bench.features.vggish import VggishExamples as VggishExamples
    from asc_bench.features.weighted_mel import PerceptualMel as PerceptualMel
    from asc_bench.folds import official_folds as official_folds
    from asc_bench.labels import COARSE as COARSE
    from asc_bench.labels import FINE as FINE
    from asc_bench.labels import UNKNOWN_SCENE as UNKNOWN_SCENE
    from asc_bench.labels import LabelSpace as LabelSpace
    from asc_bench.limits import Limits as Limits
    from asc_bench.papers.cluster_scores import cluster_scores as cluster_scores
    from asc_bench.papers.figure import Drawn as Drawn
    from asc_bench.papers.figure import Material as Material
    from asc_bench.papers.figure import PaperFigure as PaperFigure
    from asc_bench.papers.figure import Part as Part
    from asc_bench.papers.item import Cut as Cut
    from asc_bench.papers.table import Cell as Cell
    from asc_bench.papers.table import Finished as Finished
    from asc_bench.papers.table import Reproduction as Reproduction
    from asc_bench.papers.table import TransferTable as TransferTable
    from asc_bench.protocol import Fold as Fold
    from asc_bench.protocol import Protocol as Protocol
    from asc_bench.protocol import Reference as Reference
    from asc_bench.registry import systems as systems
    from asc_bench.reporting.confusion_figure import draw_confusions as draw_confusions
    from asc_bench.reporting.figures import INK as INK
    from asc_bench.reporting.figures import LINE_IN as LINE_IN
    from asc_bench.reporting.figures import TITLE_PT as TITLE_PT
    from asc_bench.reporting.figures import plain as plain
    from asc_bench.reporting.figures import title_lines as title_lines
    from asc_bench.reporting.published import published_values as published_values
    from asc_bench.reporting.score_figure import draw_scores as draw_scores
    from asc_bench.runs.fitted import given_clips as given_clips
    from asc_bench.runs.fitted import labelled_clips as labelled_clips
    from asc_bench.runs.fitted import rebuilt as rebuilt
    from asc_bench.runs.store import StoredRun as StoredRun
    from asc_bench.scoring.accuracy import confusion as confusion
    from asc_bench.scoring.frames import SCORE_COLUMNS as SCORE_COLUMNS
    from asc_bench.scoring.measure import Measure as Measure
    from asc_bench.scoring.significance import stratified_z as stratified_z
    from asc_bench.scoring.significance import two_proportion_z as two_proportion_z
    from asc_bench.scoring.statistic import ScoredClips as ScoredClips
    from asc_bench.scoring.statistic import Statistic as Statistic
    from asc_bench.scoring.statistic import mean_of as mean_of
    from asc_bench.systems.base import AnyParams as AnyParams
    from asc_bench.systems.base import Card as Card
    from asc_bench.systems.base import Context as Context
    from asc_bench.systems.base import DeviceUse as DeviceUse
    from asc_bench.systems.base import MultiLabelTask as MultiLabelTask
    from asc_bench.systems.base import Params as Params
    from asc_bench.systems.base import Probabilities as Probabilities
    from asc_bench.systems.base import Published as Published
    from asc_bench.systems.base import Reason as Reason
    from asc_bench.systems.base import System as System
    from asc_bench.systems.base import Task as Task
    from asc_bench.systems.calibration import fit_fusion as fit_fusion
    from asc_bench.systems.calibration import fused_probabilities as fused_probabilities
    from asc_bench.systems.calibration import log_probabilities as log_probabilities
    from asc_bench.systems.device_specific import DeviceSpecificParams as DeviceSpecificParams
    from asc_bench.systems.device_specific import DeviceSpecificSystem as DeviceSpecificSystem
    from asc_bench.systems.distilled import DistilledParams as DistilledParams
    from asc_bench.systems.distilled import DistilledSystem as DistilledSystem
    from asc_bench.systems.fine_tuned import FineTunedSystem as FineTunedSystem
    from asc_bench.systems.fine_tuned import FineTuningParams as FineTuningParams
    from asc_bench.systems.frozen_system import FrozenSystem as FrozenSystem
    from asc_bench.systems.frozen_system import Pooling as Pooling
    from asc_bench.systems.frozen_system import pooled as pooled
    from asc_bench.systems.fused import FusedSystem as FusedSystem
    from asc_bench.systems.fused import RuleParams as RuleParams
    from asc_bench.systems.linear_system import LinearSystem as LinearSystem
    from asc_bench.systems.probe_base import Probe as Probe
    from asc_bench.systems.probes import LrProbe as LrProbe
    from asc_bench.systems.probes import SvmProbe as SvmProbe
    from asc_bench.systems.sklearn_system import SklearnSystem as SklearnSystem
    from asc_bench.systems.svm_system import SvmSystem as SvmSystem
    from asc_bench.systems.torch_system import TorchSystem as TorchSystem
    from asc_bench.systems.transfer.settings import TransferParams as TransferParams
    from asc_bench.systems.transfer.system import TransferredSystem as TransferredSystem
    from asc_bench.systems.wrapper import WrapperSystem as WrapperSystem
    from asc_bench.training.batches import Batch as Batch
    from asc_bench.training.batches import ClipStore as ClipStore
    from asc_bench.training.checkpoint import load_matching as load_matching
    from asc_bench.training.checkpoint import read_tensors as read_tensors
    from asc_bench.training.checkpoint import write_tensors as write_tensors
    from asc_bench.training.complexity import count_multiply_adds as count_multiply_adds
    from asc_bench.training.complexity import count_parameters as count_parameters
    from asc_bench.training.device import in_layout as in_layout
    from asc_bench.training.device import reproducible as reproducible
    from asc_bench.training.evaluate import Evaluation as Evaluation
    from asc_bench.training.evaluate import Outputs as Outputs
    from asc_bench.training.plan import Constant as Constant
    from asc_bench.training.plan import Cosine as Cosine
    from asc_bench.training.plan import Crop as Crop
    from asc_bench.training.plan import Linear as Linear
    from asc_bench.training.plan import Plateau as Plateau
    from asc_bench.training.plan import Step as Step
    from asc_bench.training.plan import TrainingPlan as TrainingPlan
    from asc_bench.training.transforms.base import Given as Given
    from asc_bench.training.transforms.base import Transform as Transform
    from asc_bench.training.transforms.blends import FreqMixStyle as FreqMixStyle
    from asc_bench.training.transforms.blends import Mixup as Mixup
    from asc_bench.training.transforms.places import RandomCrop as RandomCrop
    from asc_bench.training.transforms.places import SpecAugment as SpecAugment
    from asc_bench.training.transforms.places import TimeRoll as TimeRoll
    from asc_bench.training.transforms.sound import DeviceResponse as DeviceResponse
    from asc_bench.training.transforms.sound import Gain as Gain
    from asc_bench.training.transforms.sound import SimulatedResponse as SimulatedResponse

_NAMES: Mapping[str, str] = {
    # Anything
    "asc_bench.budget": "Budget",
    "asc_bench.clips": "UNKNOWN_DEVICE, Clips, Features, LabelledClips",
    "asc_bench.errors": "AscBenchError, ConfigError, DataError, StoreError, SystemFailure",
    "asc_bench.labels": "COARSE, FINE, UNKNOWN_SCENE, LabelSpace",
    "asc_bench.limits": "Limits",
    # A system: its contract and bases
    "asc_bench.systems.base": (
        "AnyParams, Card, Context, DeviceUse, MultiLabelTask, Params, Probabilities, Published, Reason, "
        "System, Task"
    ),
    "asc_bench.systems.torch_system": "TorchSystem",
    "asc_bench.systems.fine_tuned": "FineTunedSystem, FineTuningParams",
    "asc_bench.systems.sklearn_system": "SklearnSystem",
    "asc_bench.systems.frozen_system": "FrozenSystem, Pooling, pooled",
    "asc_bench.systems.linear_system": "LinearSystem",
    "asc_bench.systems.svm_system": "SvmSystem",
    "asc_bench.systems.fused": "FusedSystem, RuleParams",
    "asc_bench.systems.calibration": "fit_fusion, fused_probabilities, log_probabilities",
    "asc_bench.systems.device_specific": "DeviceSpecificParams, DeviceSpecificSystem",
    "asc_bench.systems.distilled": "DistilledParams, DistilledSystem",
    "asc_bench.systems.transfer.settings": "TransferParams",
    "asc_bench.systems.transfer.system": "TransferredSystem",
    "asc_bench.systems.wrapper": "WrapperSystem",
    "asc_bench.systems.probe_base": "Probe",
    "asc_bench.systems.probes": "LrProbe, SvmProbe",
    # A system: what it hears
    "asc_bench.features.frontends": "FrontEnd, LogMel, Waveform, caa_net_log_mel",
    "asc_bench.features.encoders.base": "Encoder, centred_windows, n_centred_windows",
    "asc_bench.features.encoders.cnn14": "panns_log_mel",
    "asc_bench.features.encoders.hugging_face": "Clap",
    "asc_bench.features.encoders.table": "ENCODERS, encoder",
    "asc_bench.features.encoders.vggish": "Vggish",
    "asc_bench.features.spectral": "SpectralFrontEnd",
    "asc_bench.features.hpss": "SeparatedLogMel",
    "asc_bench.features.joint": "JointFrontEnd",
    "asc_bench.features.kaldi_fbank": "KaldiFbank",
    "asc_bench.features.kaldi_mel": "KaldiLogMel",
    "asc_bench.features.levelled": "LevelledLogMel",
    "asc_bench.features.resampled": "ResampledLogMel",
    "asc_bench.features.mfcc": "Mfcc",
    "asc_bench.features.vggish": "VggishExamples",
    "asc_bench.features.weighted_mel": "PerceptualMel",
    # A system: how it is trained, stored and counted
    "asc_bench.training.plan": "Constant, Cosine, Crop, Linear, Plateau, Step, TrainingPlan",
    "asc_bench.training.transforms.base": "Given, Transform",
    "asc_bench.training.transforms.blends": "FreqMixStyle, Mixup",
    "asc_bench.training.transforms.places": "RandomCrop, SpecAugment, TimeRoll",
    "asc_bench.training.transforms.sound": "DeviceResponse, Gain, SimulatedResponse",
    "asc_bench.training.batches": "Batch, ClipStore",
    "asc_bench.training.evaluate": "Evaluation, Outputs",
    "asc_bench.training.device": "in_layout, reproducible",
    "asc_bench.training.checkpoint": "load_matching, read_tensors, write_tensors",
    "asc_bench.features.encoders.foreign": "foreign_tensors, load_foreign_state",
    "asc_bench.training.complexity": "count_multiply_adds, count_parameters",
    "asc_bench.data.weights": "cached_weights, how_to_fetch, verified_weights",
    # A protocol
    "asc_bench.protocol": "Fold, Protocol, Reference",
    "asc_bench.folds": "official_folds",
    "asc_bench.data.manifest": "Dataset, Split",
    "asc_bench.data.splits": "check_disjoint, cut_validation",
    "asc_bench.data.levels": "QUIET",
    "asc_bench.data": "tags",
    "asc_bench.data.taxonomy": "merged_label, taxonomy",
    "asc_bench.data.views": "VIEWS",
    # The layout of a data set: bases, and modules with classes, parts and counts of published ones
    "asc_bench.data.layouts": (
        "FolderLayout, Layout, OfficialLayout, cochlscene, dcase2017_task4, esc50, greatest_hits, tau_mobile, "
        "tut_2017, tut_mobile, urban"
    ),
    # A statistic
    "asc_bench.scoring.measure": "Measure",
    "asc_bench.scoring.statistic": "ScoredClips, Statistic, mean_of",
    # A paper's table
    "asc_bench.papers.table": "Cell, Finished, Reproduction, TransferTable",
    "asc_bench.papers.cluster_scores": "cluster_scores",
    "asc_bench.registry": "systems",
    "asc_bench.reporting.published": "published_values",
    "asc_bench.scoring.frames": "SCORE_COLUMNS",
    "asc_bench.scoring.significance": "stratified_z, two_proportion_z",
    # A paper's figure
    "asc_bench.papers.figure": "Drawn, Material, PaperFigure, Part",
    "asc_bench.papers.item": "Cut",
    "asc_bench.reporting.confusion_figure": "draw_confusions",
    "asc_bench.reporting.figures": "INK, LINE_IN, TITLE_PT, plain, title_lines",
    "asc_bench.reporting.score_figure": "draw_scores",
    "asc_bench.runs.fitted": "given_clips, labelled_clips, rebuilt",
    "asc_bench.runs.store": "StoredRun",
    "asc_bench.scoring.accuracy": "confusion",
    "asc_bench.analysis.attention": "attention_maps",
    "asc_bench.analysis.embedding": "embeddings",
    "asc_bench.analysis.explanation": "attention_limits",
    "asc_bench.analysis.filters": "Responses, magnitude_responses, mel_curve_hz",
    "asc_bench.analysis.landscape": "Landscape, Plane, landscape, mean_loss",
    "asc_bench.analysis.landscape_figure": "draw_landscapes",
    "asc_bench.analysis.spectrogram": "log_mel_of, show_bins",
}
"""By module, ordered by what an author writes. A further name is added here and above."""

_HOME = {name: module for module, names in _NAMES.items() for name in names.split(", ")}

__all__ = sorted(_HOME)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # With this function in sight, a type checker would take any name for one that is there.

    def __getattr__(name: str) -> object:
        """Load a name, or a module, when it is taken."""
        if name not in _HOME:
            from asc_bench.names import near

            raise AttributeError(f"asc_bench.api has no {name!r}{near(name, __all__)}", name=name)
        return getattr(__import__(_HOME[name], fromlist=(name,)), name)
