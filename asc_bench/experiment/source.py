"""From a protocol's name to a bench: find or synthesise recordings, check them, cache features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.index import index_dataset
from asc_bench.data.layouts import Layout
from asc_bench.data.manifest import Dataset
from asc_bench.data.store import cache_root, data_roots, get_layout, load_dataset
from asc_bench.errors import DataError, StoreError
from asc_bench.experiment.host import n_cores
from asc_bench.experiment.plan import Bench, RunSpec
from asc_bench.features.cache import feature_array
from asc_bench.features.frontends import FrontEnd
from asc_bench.registry import protocols

Progress = Callable[[float, str], None]

_log = logging.getLogger("asc_bench")


@dataclass(frozen=True)
class Source:
    """Where recordings come from.

    Attributes
    ----------
    roots : tuple of Path
        Folders that hold data sets; empty for ASC_BENCH_DATA and ``./data``.
    synthetic : bool
        Use a stand-in, synthesised into the cache on first use.
    synthetic_size : str
        One of ``asc_bench.data.synthetic.SIZES``.
    synthetic_seed : int
        Seed of the stand-in.
    cache : Path
        Holds stand-ins, file index and features; None for the user's cache folder.
    """

    roots: tuple[Path, ...] = ()
    synthetic: bool = False
    synthetic_size: str = "small"
    synthetic_seed: int = 0
    cache: Path | None = None

    @property
    def cache_folder(self) -> Path:
        """The cache in use."""
        return self.cache if self.cache is not None else cache_root()

    def dataset(self, names: Sequence[str], progress: Progress) -> Dataset:
        """The first data set of ``names`` that is found, every file of it checked.

        One that is computed from another is computed into the cache on first use; if ``names`` begins with
        such a one, the others are not looked for.

        Raises
        ------
        DataError
            If none is found (and no stand-in was asked for), or a file is broken.
        """
        first = get_layout(names[0])
        if first.derived_from:
            return self._derived(first, progress)
        if self.synthetic:
            from asc_bench.data.synthetic import write_synthetic

            size = (
                self.synthetic_size
                if not self.synthetic_seed
                else f"{self.synthetic_size}-seed{self.synthetic_seed}"
            )
            root = self.cache_folder / "synthetic" / size
            write_synthetic(
                names[0],
                root,
                size=self.synthetic_size,
                seed=self.synthetic_seed,
                n_jobs=n_cores(),
                progress=progress,
            )
            found = load_dataset(names[:1], [root])
        else:
            found = load_dataset(names, data_roots(self.roots))
        return index_dataset(found, cache=self.cache_folder, n_jobs=n_cores(), progress=progress)

    def _derived(self, layout: Layout, progress: Progress) -> Dataset:
        source = self.dataset(layout.derived_from, progress)
        if not source.complete:
            reason = next(iter(source.shortfalls), f"{len(source.missing)} audio files are missing")
            raise DataError(
                f"{layout.title} is computed from {source.name}, but {source.root} is incomplete: {reason}; "
                f"see `asc-bench prepare {source.name}`"
            )
        root = self.cache_folder / "derived" / f"{source.name}-{source.digest()[:12]}"
        if source.synthetic:
            # The name of the folder above a stand-in tells its size, in tables and in the names of results.
            root /= source.root.parent.name
        found = layout.read(layout.derive(source, root, n_jobs=n_cores(), progress=progress))
        try:
            found = index_dataset(found, cache=self.cache_folder, n_jobs=n_cores(), progress=progress)
            if found.missing:
                raise DataError(f"{len(found.missing)} audio files are missing, such as {found.missing[0]}")
        except DataError as error:
            raise DataError(
                f"{error}\nNo archive has these files, asc-bench computed them: remove the folder {found.root}, "
                "and they are computed again"
            ) from error
        return found

    def bench(self, protocol: str, progress: Progress) -> Bench:
        """A protocol applied to its data."""
        instance = protocols().get(protocol)()
        return Bench.of(instance, self.dataset(instance.datasets, progress))


def front_ends(specs: Iterable[RunSpec]) -> list[FrontEnd]:
    """The distinct front ends of some runs, in order."""
    return list(dict.fromkeys(spec.front_end for spec in specs if spec.front_end and not spec.refusal))


def fill_cache(bench: Bench, ends: Sequence[FrontEnd], cache: Path, progress: Progress) -> None:
    """Compute every feature array that is not cached yet."""
    for i, front_end in enumerate(ends):

        def step(fraction: float, text: str, i: int = i) -> None:
            progress((i + fraction) / len(ends), text)

        try:
            feature_array(
                bench.clips,
                front_end,
                file_digests=bench.dataset.file_digests,
                cache=cache,
                n_jobs=n_cores(),
                progress=step,
            )
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a system's own front end; its runs will record the traceback
            _log.warning("%s failed, and so will the systems that need it: %s", front_end, error)
