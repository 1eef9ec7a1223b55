"""Procedurally synthesised stand-ins, written in the official layouts."""

from asc_bench.data.synthetic.devices import DEVICES, apply_device
from asc_bench.data.synthetic.esc import synthesise_esc
from asc_bench.data.synthetic.scenes import synthesise_scene
from asc_bench.data.synthetic.sizes import SIZES
from asc_bench.data.synthetic.standin import write_synthetic

__all__ = ["DEVICES", "SIZES", "apply_device", "synthesise_esc", "synthesise_scene", "write_synthetic"]
