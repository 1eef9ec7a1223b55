"""What this installation knows of stored runs: cards of their systems, and commands that make them again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from asc_bench.registry import protocols, systems
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.runs.transfer import TRANSFER
from asc_bench.systems.base import Card


def cards_of(manifests: Sequence[Manifest]) -> dict[str, Card]:
    """Name of a system to its card, sorted; without systems that are not installed, such as somebody else's own."""
    found, names = systems().found, sorted({str(m["system"]) for m in manifests})
    return {name: found[name].card for name in names if name in found}


def commands_of(manifests: Sequence[Manifest]) -> list[str]:
    """What makes the runs and their tables again; none for a protocol that a command line cannot name.

    A transfer names its source in other words than ``run`` takes: of transfers the tables alone are made again, and
    so is what was made elsewhere.
    """
    setting = Setting.of(manifests)
    if setting.protocol not in protocols().found:
        return []
    stored = [m for m in manifests if m["status"] != "skipped"]
    variants = dict.fromkeys(str(m["variant"]) for m in stored)
    own = dict.fromkeys(str(m["variant"]) for m in stored if "made_elsewhere" not in m)
    words = ["-p", setting.protocol, "-s", ",".join(variants)]
    words += ["--budget", setting.budget] if setting.budget else []
    words += {"test": ["--as-published"], "held-out": ["--hold-out"]}.get(setting.selection, [])
    words += ["--augment", setting.augmentation] if setting.augmentation else []
    words += ["--folds", ",".join(setting.folds)] if setting.folds else []
    words += ["--unofficial-split"] if setting.unofficial_split else []
    words += ["--unofficial-files"] if setting.unofficial_files else []
    words += ["--synthetic"] if setting.synthetic else []
    commands = [shlex.join(["asc-bench", "report", *words])]
    if not own or any(m["system"] == TRANSFER for m in manifests):
        return commands
    words[words.index("-s") + 1] = ",".join(own)
    joined = list(manifests[0].get("sources") or ())
    words += ["--sources", ",".join(joined)] if len(joined) < len(protocols().get(setting.protocol).sources) else []
    words += ["--synthetic-size", setting.synthetic_size] if setting.synthetic_size else []
    words += ["--repeats", str(setting.n_repeats)] if setting.n_repeats > 1 else []
    return [shlex.join(["asc-bench", "run", *words]), *commands]
