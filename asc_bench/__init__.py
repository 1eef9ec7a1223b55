"""asc-bench: published acoustic scene classification systems under shared, official protocols.

What a notebook or a script needs is here and loaded when it is first used: `run`, `transfer`, `load_results` and
`score`; `list_systems`, `list_protocols`, `list_datasets`, `get_system`, `get_protocol` and `load_dataset`;
`check`; and every name of ``asc_bench.api`` for systems, protocols and statistics of one's own.

Examples
--------
>>> import asc_bench
>>> print(asc_bench.get_system("sb-cnn", bn=True))
sb-cnn[bn=true]
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from asc_bench.printable import printable_record

if TYPE_CHECKING:
    from asc_bench.api import *  # noqa: F403
    from asc_bench.catalogue import (
        get_protocol,
        get_system,
        list_datasets,
        list_protocols,
        list_systems,
        load_dataset,
    )
    from asc_bench.conformance import check
    from asc_bench.data.layouts import FolderLayout
    from asc_bench.experiment import Experiment, run
    from asc_bench.external import score
    from asc_bench.results import Results
    from asc_bench.stored_results import load_results
    from asc_bench.transfer_experiment import transfer

__version__ = "0.1.0"

# Whatever a notebook, a worker or the command line does with the log of the harness.
logging.getLogger("asc_bench").addFilter(printable_record)

__all__ = [
    "Experiment",
    "FolderLayout",
    "Results",
    "__version__",
    "check",
    "get_protocol",
    "get_system",
    "list_datasets",
    "list_protocols",
    "list_systems",
    "load_dataset",
    "load_results",
    "run",
    "score",
    "transfer",
]

_HOMES = {
    "Experiment": "experiment",
    "FolderLayout": "data.layouts",
    "Results": "results",
    "check": "conformance",
    "get_protocol": "catalogue",
    "get_system": "catalogue",
    "list_datasets": "catalogue",
    "list_protocols": "catalogue",
    "list_systems": "catalogue",
    "load_dataset": "catalogue",
    "load_results": "stored_results",
    "run": "experiment",
    "score": "external",
    "transfer": "transfer_experiment",
}
"""Modules that the names come from."""


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'asc_bench' has no attribute {name!r}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"asc_bench.{_HOMES[name]}"), name)
    api = importlib.import_module("asc_bench.api")
    if name in api.__all__:
        return getattr(api, name)
    from asc_bench.names import near

    raise AttributeError(f"module 'asc_bench' has no attribute {name!r}{near(name, [*_HOMES, *api.__all__])}")


def __dir__() -> list[str]:
    return sorted((*globals(), *_HOMES, *importlib.import_module("asc_bench.api").__all__))
