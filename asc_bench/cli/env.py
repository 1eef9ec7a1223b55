"""``asc-bench env``: what one pastes into a bug report."""

from __future__ import annotations

from asc_bench.cli import options
from asc_bench.cli.printing import echo


def command(data: options.Data = None) -> None:
    """Print what belongs into a bug report.

    Versions, processor, threads, GPU, folders, plug-ins and the data sets that are found.
    """
    import torch

    from asc_bench.bench.host import host_facts, package_versions
    from asc_bench.cli.list_ import datasets
    from asc_bench.data.store import cache_root, data_roots
    from asc_bench.registry import plugin_folders, protocols, systems

    for name, version in package_versions().items():
        echo(f"{name:14} {version}")
    for fact, value in host_facts().items():
        echo(f"{fact:14} {value}")
    echo(f"{'threads':14} {torch.get_num_threads()}")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    echo(f"{'GPU':14} {', '.join(gpus) or 'none'}")
    echo(f"{'cache':14} {cache_root()}")
    echo(f"{'data folders':14} {', '.join(map(str, data_roots(tuple(data or ()))))}")
    echo(f"{'plug-ins':14} {', '.join(map(str, plugin_folders())) or 'none'}")
    unavailable = [*systems().unavailable.values(), *protocols().unavailable.values()]
    for item in unavailable:
        echo(f"{'unavailable':14} {item.name}: {item.reason}")
    echo()
    echo(datasets(data))
