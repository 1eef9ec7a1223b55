"""From a protocol's name to a bench: find or synthesise recordings, check them, cache features."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from asc_bench.bench.bench import Bench
from asc_bench.bench.completeness import check_allowance, incomplete
from asc_bench.bench.host import n_cores
from asc_bench.data.index import inspect_dataset
from asc_bench.data.joined import join_datasets
from asc_bench.data.layouts import FolderLayout, Layout
from asc_bench.data.levels import flag_clips
from asc_bench.data.manifest import Dataset
from asc_bench.data.official_files import hold_files
from asc_bench.data.official_lists import hold_lists
from asc_bench.data.snapshot import load_snapshot, save_snapshot
from asc_bench.data.store import cache_root, data_roots, elsewhere, find_dataset, load_dataset, read_layout
from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near, require_text
from asc_bench.protocol import Protocol
from asc_bench.registry import ProtocolLike, layout_of, protocol_of

Progress = Callable[[float, str], None]

_log = logging.getLogger("asc_bench")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cyclic garbage while records of many files are made, which it would walk through each time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class Source:
    """Where recordings come from.

    Attributes
    ----------
    roots : tuple of Path
        Folders that hold data sets; empty for ASC_BENCH_DATA and ``./data``.
    synthetic : bool
        Use a synthetic dataset, synthesised into the cache on first use.
    synthetic_size : str
        One of ``asc_bench.synthetic.sizes()``.
    synthetic_seed : int
        Seed of the synthetic dataset.
    cache : Path
        Holds synthetic datasets, file index and features; None for the user's cache folder.
    sources : tuple of str
        For protocols that join data sets: which; empty for all.
    allow_missing_training : float
        Fraction of a protocol's training and validation clips that are left out if their files are missing.
    unofficial_split : bool
        Accept folds that are not the official ones; every table says so, and results are kept apart.
    unofficial_files : bool
        Accept files of an official data set that are not as published; likewise.
    """

    roots: tuple[Path, ...] = ()
    synthetic: bool = False
    synthetic_size: str = "small"
    synthetic_seed: int = 0
    cache: Path | None = None
    sources: tuple[str, ...] = ()
    allow_missing_training: float = 0.0
    unofficial_split: bool = False
    unofficial_files: bool = False

    def __post_init__(self) -> None:
        check_allowance(self.allow_missing_training)

    @property
    def cache_folder(self) -> Path:
        """The cache in use; raises ConfigError if its name is no text."""
        folder = self.cache if self.cache is not None else cache_root()
        require_text(folder, what="cache")
        return folder

    @_collector_paused()
    def dataset(self, names: Sequence[str | Layout], progress: Progress) -> Dataset:
        """The first data set of ``names`` that is found, every file of it checked.

        One that is computed from another is computed into the cache on first use; if ``names`` begins with
        such a one, the others are not looked for.

        Raises
        ------
        DataError
            If none is found (and no synthetic dataset was asked for), its lists are not the official ones, or
            files are broken or not as published.
        """
        layouts = [layout_of(name) for name in names]
        first = layouts[0]
        if first.derived_from:
            return self._derived(first, progress)
        if self.synthetic and isinstance(first, FolderLayout):
            raise ConfigError(f"{first.name} is a folder of your own: there is no synthetic dataset for it")
        if self.synthetic:
            from asc_bench.synthetic import write_synthetic

            size = (
                self.synthetic_size
                if not self.synthetic_seed
                else f"{self.synthetic_size}-seed{self.synthetic_seed}"
            )
            root = self.cache_folder / "synthetic" / size
            write_synthetic(
                first.name,
                root,
                size=self.synthetic_size,
                seed=self.synthetic_seed,
                n_jobs=n_cores(),
                progress=progress,
            )
            found = load_dataset(layouts[:1], [root])
        else:
            return self._opened(layouts, progress)
        return self._checked(found, progress)

    def _opened(self, layouts: Sequence[Layout], progress: Progress) -> Dataset:
        """The first data set that is found, from its snapshot if there is one of what is there now."""
        roots = data_roots(self.roots)
        place = next(((layout, folder) for layout in layouts if (folder := layout.place(roots))), None)
        # What was accepted for once is no snapshot.
        plain = place is not None and not (self.unofficial_split or self.unofficial_files)
        if plain and place is not None:
            kept = load_snapshot(*place, cache=self.cache_folder)
            if kept is not None:
                progress(1.0, f"{len(kept.file_digests)} audio files unchanged")
                return replace(kept, elsewhere=elsewhere(*place, roots))
        found = self._checked(load_dataset(layouts, roots), progress)
        if plain and place is not None:
            save_snapshot(place[0], found, cache=self.cache_folder)
        return found

    def _checked(self, found: Dataset, progress: Progress) -> Dataset:
        """A data set whose lists and files were held against what is known of them."""
        held = hold_lists(found, unofficial=self.unofficial_split)
        indexed, facts = inspect_dataset(held, cache=self.cache_folder, n_jobs=n_cores(), progress=progress)
        return hold_files(indexed, facts, unofficial=self.unofficial_files)

    def _derived(self, layout: Layout, progress: Progress) -> Dataset:
        source = self.dataset(layout.derived_from, progress)
        if not source.complete:
            raise incomplete(f"{layout.title}, which is computed from {source.name} in {source.root}", source)
        root = self.cache_folder / "derived" / f"{source.name}-{source.digest()[:12]}"
        if source.synthetic:
            # The folder above a synthetic dataset is named by its size, as are tables and results of it.
            root /= source.root.parent.name
        found = read_layout(layout, layout.derive(source, root, n_jobs=n_cores(), progress=progress))
        try:
            found = self._checked(found, progress)
            if found.missing:
                raise DataError(f"{len(found.missing)} audio files are missing, such as {found.missing[0]}")
        except DataError as error:
            raise DataError(
                f"{error}\nNo archive has these files, asc-bench computed them: remove the folder {found.root}, "
                "and they are computed again"
            ) from error
        return found

    def bench(self, protocol: ProtocolLike, progress: Progress, *, audio: bool = True) -> Bench:
        """A protocol, by name, as a class or as an instance, applied to its data.

        Without ``audio`` the lists of a published data set are read and no audio file is: enough to score.

        Raises
        ------
        ConfigError
            For an unknown protocol, or a source that the protocol does not have.
        DataError
            As ``dataset``; and if a source is absent, naming those that are there.
        """
        instance = protocol_of(protocol)
        derived = any(layout_of(name).derived_from for name in instance.datasets)
        if audio or instance.sources or self.synthetic or derived:
            found = self.dataset_of(instance, progress)
            return Bench.of(instance, found, allow_missing_training=self.allow_missing_training if audio else 0.0)
        self.chosen(instance)
        layouts = [layout_of(name) for name in instance.datasets]
        found = load_dataset(layouts, data_roots(self.roots))
        return Bench.of(instance, hold_lists(found, unofficial=self.unofficial_split))

    def dataset_of(self, protocol: Protocol | type[Protocol], progress: Progress) -> Dataset:
        """The data set of a protocol, joined where it joins several. Raises as ``bench`` does."""
        chosen = self.chosen(protocol)
        if not protocol.sources:
            return self.dataset(protocol.datasets, progress)
        if not self.synthetic:
            self._refuse_absent(protocol, chosen)
        n_layouts, n_done = sum(len(protocol.sources[name]) for name in chosen), 0
        parts: dict[str, list[Dataset]] = {}
        for name in chosen:
            for layout in protocol.sources[name]:
                step = _part_of(progress, n_done, n_layouts + 1, f"{layout}: ")
                parts.setdefault(name, []).append(self.dataset((layout,), step))
                n_done += 1
        joined = join_datasets(parts, duration_s=protocol.clip_duration_s, views=protocol.views)
        return flag_clips(
            joined,
            cache=self.cache_folder,
            n_jobs=n_cores(),
            progress=_part_of(progress, n_done, n_layouts + 1, ""),
        )

    def chosen(self, protocol: Protocol | type[Protocol]) -> tuple[str, ...]:
        """Sources that were asked for, in the protocol's order; none if it joins no data sets.

        Raises
        ------
        ConfigError
            For a source that the protocol does not have.
        """
        if self.sources and not protocol.sources:
            named = ", ".join(self.sources)
            raise ConfigError(
                f"{protocol.name} does not join data sets: it has no sources to choose, such as {named}"
            )
        for name in self.sources:
            if name not in protocol.sources:
                raise ConfigError(f"{protocol.name} has no source {name!r}{near(name, protocol.sources)}")
        return tuple(name for name in protocol.sources if not self.sources or name in self.sources)

    def _refuse_absent(self, protocol: Protocol | type[Protocol], chosen: Sequence[str]) -> None:
        roots = data_roots(self.roots)
        absent: dict[str, list[Layout]] = {}
        for name in chosen:
            for layout in map(layout_of, protocol.sources[name]):
                try:
                    find_dataset(layout, roots)
                except DataError:
                    absent.setdefault(name, []).append(layout)
        if not absent:
            return
        found = [name for name in chosen if name not in absent]
        lines = [f"{protocol.name}: of the sources {', '.join(chosen)}, not found: {', '.join(absent)}"]
        for layout in (layout for layouts in absent.values() for layout in layouts):
            folders = " or ".join(f"{folder}/" for folder in layout.folders)
            lines.append(f"  {layout.title}: looked for a folder {folders}; see {layout.homepage}")
        lines += [f"  looked in: {r.absolute()}{'' if r.is_dir() else ' (does not exist)'}" for r in roots]
        lines += [f"Leave them out with --sources {','.join(found)}"] if found else []
        lines.append("or add --synthetic (in Python: synthetic=True) to run on synthetic datasets,")
        lines.append("whose numbers mean nothing beyond that.")
        raise DataError("\n".join(lines))


def _part_of(progress: Progress, n_done: int, n: int, prefix: str) -> Progress:
    return lambda fraction, message: progress((n_done + fraction) / n, prefix + message)
