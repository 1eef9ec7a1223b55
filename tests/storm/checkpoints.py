"""Checkpoints of others that do not fit: the fault of one system is that system's row."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.storm.damage import PAGE
from tests.storm.kind import Kind, leftovers, require
from tests.storm.place import Place

ROW = (
    "the system's row says that it failed and names the file, no code in the file is run, the exit code is 1, and "
    "the other systems end with exactly the digests of an undisturbed run"
)


_SCRIPTING = threading.Lock()
"""torch compiles a module for one thread at a time."""


def kinds(rounds: int) -> list[Kind]:
    """All at once, one run at a time and two."""
    return [Kind("checkpoint that does not fit", ROW, [partial(_checkpoints, jobs=jobs) for jobs in "12"])]


class _Runs:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.mark,))


def _written(folder: Path) -> Mapping[str, Path]:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    weight = torch.zeros(3, 3)
    states = {
        "others": {"conv.weight": weight},
        "dataparallel": {"state_dict": {"module.conv.weight": weight}},
        "wrapped": {"iteration": 1, "model": {"conv.weight": weight}},
        "list": [weight, weight],
        "nan": {"conv.weight": torch.full((3, 3), torch.nan)},
    }
    for name, state in states.items():
        torch.save(state, folder / f"{name}.pth")
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "torchscript.pth"))
    save_file({"conv.weight": weight}, folder / "others.safetensors")
    whole = (folder / "others.pth").read_bytes()
    contents = {
        "cut.pth": whole[: len(whole) // 2],
        "empty.pth": b"",
        "page.pth": PAGE,
        "pickle.pth": pickle.dumps(_Runs(folder / "was-run")),
        "cut.safetensors": (folder / "others.safetensors").read_bytes()[:-4],
        "page.safetensors": PAGE,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.pth").mkdir()
    return {path.name: path for path in (*sorted(folder.iterdir()), folder / "absent.pth")}


def _checkpoints(place: Place, jobs: str) -> None:
    undisturbed = place.ground.undisturbed("toy-a,toy-b")
    with _SCRIPTING:
        files = _written(place.folder / "files")
    place.n_faults += len(files)
    systems = ",".join(["toy-a", *(f"caa-net[weights={path}]" for path in files.values()), "toy-b"])
    done = place.run(systems, "--jobs", jobs)
    require(done.returncode == 1, f"the exit code is {done.returncode}: {done.stderr[-1500:]}")
    require(not (place.folder / "files" / "was-run").exists(), "a pickle was run")
    require(place.stored() == undisturbed.digests, "the other systems have other digests")
    manifests = [json.loads(path.read_text()) for path in (place.results / "runs").rglob("manifest.json")]
    errors = {m["variant"]: m["error"]["message"] for m in manifests if m["status"] == "failed"}
    for name, path in files.items():
        error = errors.get(f"caa-net[weights={path}]", "no failed row")
        require(str(path) in error, f"{name}: {error!r}")
    require(list((place.results / "tables").rglob("results.md")), "no table was made")
    require(not leftovers(place.results), f"left behind: {leftovers(place.results)}")
