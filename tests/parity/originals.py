"""Run the authors' code on the numbers of ``values`` and write what it gives to ``outputs.json``.

Usage, once in each environment::

    pip install tensorflow-cpu==2.15.1 'numpy<2' pyyaml;  python -m tests.parity.originals keras SOURCES
    pip install torch torchvision;                        python -m tests.parity.originals torch SOURCES
    pip install torch;                                    python -m tests.parity.originals vggish SOURCES

``SOURCES`` holds clones of the repositories in ``sources.py``, at these commits, or for VGGish the archive of
torchvggish 0.2 from PyPI (Apache-2.0), unpacked. Their texts are changed where today's Python, Keras or torch would
not run them, and nowhere else. Only outputs are kept, and nothing is copied: resemul, dcase2024_task1_baseline,
cpjku_dcase20 and cpjku_dcase23 carry no licence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.parity.originals_keras import keras_outputs
from tests.parity.originals_scenes import low_complexity_outputs, scene_outputs
from tests.parity.originals_tagging import (
    beats_outputs,
    efficientat_outputs,
    panns_outputs,
    passt_outputs,
    vggish_outputs,
)
from tests.parity.sources import Outputs

OUTPUTS = Path(__file__).parent / "outputs.json"

MAKERS: dict[str, tuple[Callable[[Path], Outputs], ...]] = {
    "keras": (keras_outputs,),
    "torch": (
        scene_outputs,
        low_complexity_outputs,
        panns_outputs,
        efficientat_outputs,
        passt_outputs,
        beats_outputs,
    ),
    "vggish": (vggish_outputs,),
}
"""What each environment can run."""


def main(library: str, sources: Path) -> None:
    """Replace the outputs of one library's networks, to seven digits."""
    found = {name: rows for outputs in MAKERS[library] for name, rows in outputs(sources).items()}
    kept = json.loads(OUTPUTS.read_text(encoding="utf-8")) if OUTPUTS.exists() else {}
    rounded = {name: [[float(f"{x:.7g}") for x in row] for row in rows.tolist()] for name, rows in found.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in sorted({**kept, **rounded}.items())]
    OUTPUTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
