"""Synthetic datasets: procedurally synthesised sounds, written in the official layouts."""

from asc_bench.synthetic.dataset import write_synthetic
from asc_bench.synthetic.esc import synthesise_esc
from asc_bench.synthetic.scenes import synthesise_scene
from asc_bench.synthetic.sizes import sizes

__all__ = ["sizes", "synthesise_esc", "synthesise_scene", "write_synthetic"]
