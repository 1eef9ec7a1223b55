"""The network of VGGish, for systems."""

from asc_bench.features.encoders.vggish_network import PostProcessing, VggishNetwork, load_network

__all__ = ["PostProcessing", "VggishNetwork", "load_network"]
