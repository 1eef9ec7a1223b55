"""How often intervals and tests err with few recording locations, in simulated data: see docs/statistics.md.

    python -m tests.statistics.few_locations [number of data sets]

Nothing here is a recording. Each location is easier or harder by a random amount that all systems share, and
besides by one that each system has for itself (standard deviations ``shared`` and ``own``, on the scale of a probit
or a logit); its clips are right or wrong independently, given these. Whether systems are equal, and how good they
are over all locations that might have been recorded, is known by construction.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from asc_bench.scoring.bootstrap import cluster_weights
from asc_bench.scoring.measure import STATISTICS
from asc_bench.scoring.significance import holm, mcnemar_exact, paired_bootstrap, stratified_z, two_proportion_z
from asc_bench.scoring.student import Locations, value_interval, weighted_locations

Floats = npt.NDArray[np.float64]

N_RESAMPLES = 1000
N_PER_BLOCK = 200
"""Data sets that share numbers of clips and resamples of locations."""


@dataclass(frozen=True)
class World:
    """Where simulated data sets come from.

    Attributes
    ----------
    title : str
        In words.
    sizes : sequence of int
        Locations of each scene; one number where locations are resampled all alike.
    value : float
        Of every system over all locations: accuracy, mean log loss, or errors per reference event.
    kind : {"accuracy", "log loss", "error rate"}
        What is measured: accuracy is the mean over devices of the mean over scenes, the others pool all clips.
    clips : tuple of int
        Fewest and most clips of a location, drawn evenly.
    devices : tuple of (int, int, int)
        Further devices: every n-th location has them, with between so many and so many clips.
    shared, own : float
        Standard deviations of how easy a location is for all systems, and for each.
    other : float, optional
        Value of a system that is not equal to the others.
    """

    title: str
    sizes: Sequence[int]
    value: float = 0.65
    kind: Literal["accuracy", "log loss", "error rate"] = "accuracy"
    clips: tuple[int, int] = (4, 30)
    devices: tuple[tuple[int, int, int], ...] = ()
    shared: float = 0.8
    own: float = 0.8
    other: float | None = None

    @property
    def unequal(self) -> float:
        """Of another system: by default 5 points or a third of the errors better, or a fifth lower."""
        if self.other is not None:
            return self.other
        if self.kind != "accuracy":
            return 0.8 * self.value
        return min(self.value + 0.05, self.value + (1 - self.value) / 3)

    @property
    def n_locations(self) -> int:
        return int(sum(self.sizes))

    @property
    def scene(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def bounds(self) -> tuple[float, float]:
        names = {"accuracy": "accuracy", "log loss": "log-loss", "error rate": "detection-error-rate"}
        return STATISTICS[names[self.kind]].bounds


PAIRS = (
    World("10 scenes of 2 locations", [2] * 10),
    World("10 scenes of 3 locations", [3] * 10),
    World("10 scenes of 5 locations", [5] * 10),
    World("10 scenes of 9 locations", [9] * 10),
    World("10 scenes of 3, systems much alike", [3] * 10, own=0.2),
    World("10 scenes of 9, systems much alike", [9] * 10, own=0.2),
    World("3 scenes of 2 locations", [2] * 3),
    World("1 scene of 2 locations", [2]),
    World("1 scene of 3 locations", [3]),
    World("1 scene of 6 locations", [6]),
    World("1 scene of 20 locations", [20]),
    World("10 scenes of 2, 97 %", [2] * 10, value=0.97),
    World("10 scenes of 3, 97 %", [3] * 10, value=0.97),
    World("10 scenes of 9, 97 %", [9] * 10, value=0.97),
    World("10 scenes of 2, 97 against 99 %", [2] * 10, value=0.97, other=0.99),
    World("10 scenes of 9, 97 against 99 %", [9] * 10, value=0.97, other=0.99),
    World("3 scenes of 2, 97 %", [2] * 3, value=0.97),
    World("1 scene of 6, 97 %", [6], value=0.97),
    World("1 scene of 20, 97 %", [20], value=0.97),
    World("1 scene of 2 and 9 of 20", [2] + [20] * 9),
    World("1 scene of 2 and 1 of 20", [2, 20]),
    World("devices: A everywhere, B at every 2nd of 6", [6] * 10, devices=((2, 1, 4),)),
    World("devices: A everywhere, B and C at every 3rd of 9", [9] * 10, devices=((3, 1, 4), (3, 1, 4))),
    World("log loss, 10 scenes of 2", [2] * 10, value=0.9, kind="log loss"),
    World("log loss, 10 scenes of 9", [9] * 10, value=0.9, kind="log loss"),
    World("log loss, 1 scene of 6", [6], value=0.9, kind="log loss"),
    World("error rate, 6 locations alike", [6], value=0.7, kind="error rate", shared=0.4, own=0.4),
    World("error rate, 20 locations alike", [20], value=0.7, kind="error rate", shared=0.4, own=0.4),
)
FAMILIES = tuple(World(f"10 scenes of {m} locations", [m] * 10) for m in (9, 5, 3, 2))
_DEVICES = ((2, 1, 4), (2, 1, 4))
PAPERS = (
    World("systems alike at every location", [15] * 10, own=0.0),
    World("systems differ little by location", [15] * 10, own=0.4),
    World("systems differ by location", [15] * 10, own=0.8),
    World("3 devices, systems differ little by location", [15] * 10, own=0.4, devices=_DEVICES),
    World("3 devices, systems differ by location", [15] * 10, own=0.8, devices=_DEVICES),
)


@dataclass(frozen=True)
class Block:
    """Some data sets with the same numbers of clips, and what resampling makes of them.

    Attributes
    ----------
    n : float array, shape (n_locations, n_devices)
        Clips.
    sums : float array, shape (n_locations, n_devices, n_sets, n_systems)
        Right clips, summed losses, or errors.
    both : float array, shape (n_sets, 2)
        Clips that the first system alone gets right, and the second alone; of accuracies.
    """

    world: World
    n: Floats
    sums: Floats
    both: Floats
    seed: int

    @property
    def observed(self) -> Floats:
        """Shape (n_sets, n_systems)."""
        return self._values(np.ones((1, self.world.n_locations)))[0]

    @property
    def resampled(self) -> Floats:
        """Shape (n_resamples, n_sets, n_systems)."""
        sizes = np.asarray(self.world.sizes)
        rng = np.random.default_rng(self.seed)
        return self._values(cluster_weights(sizes, n_resamples=N_RESAMPLES, rng=rng))

    @property
    def weights(self) -> Floats:
        """Share of the clips of each location and device in the measure, shape (n_locations, n_devices)."""
        scene = self.world.scene if self.world.kind == "accuracy" else np.zeros(self.world.n_locations, dtype=int)
        total = np.stack([np.bincount(scene, column) for column in self.n.T], axis=1)
        classes = (total > 0).sum(axis=0)
        return np.asarray(self.n / np.maximum(total[scene], 1) / classes / self.n.shape[1])

    @property
    def locations(self) -> Locations:
        """As ``locations_of`` makes it of rows of clips."""
        return weighted_locations(self.weights.sum(axis=1), np.asarray(self.world.sizes))

    def disagreement(self, a: int, b: int) -> Floats | list[None]:
        """Share of clips that just one of two systems gets right, shape (n_sets,): expected, given the sums."""
        if self.world.kind != "accuracy":
            return [None] * self.sums.shape[2]
        p, q = (self.sums[..., i] / np.maximum(self.n, 1)[..., None] for i in (a, b))
        return np.einsum("ld,lds->s", self.weights, p * (1 - q) + q * (1 - p))

    def _values(self, weights: Floats) -> Floats:
        if self.world.kind != "accuracy":
            return np.einsum("bl,lk->bk", weights, self.sums[:, 0].reshape(len(self.n), -1), optimize=True).reshape(
                len(weights), *self.sums.shape[2:]
            ) / (weights @ self.n[:, 0]).reshape(-1, 1, 1)
        total, devices_there = np.zeros((len(weights), *self.sums.shape[2:])), np.zeros(len(weights))
        for device in range(self.n.shape[1]):
            found, there = np.zeros_like(total), np.zeros(len(weights))
            for scene in range(len(self.world.sizes)):
                own = self.world.scene == scene
                n = weights[:, own] @ self.n[own, device]
                right = weights[:, own] @ self.sums[own, device].reshape(own.sum(), -1)
                # A scene of which a device has no clip in a resample is left out of its mean; so is such a device.
                found += right.reshape(total.shape) / np.where(n > 0, n, np.inf)[:, None, None]
                there += n > 0
            total += found / np.maximum(there, 1)[:, None, None]
            devices_there += there > 0
        return total / devices_there[:, None, None]


def blocks(world: World, values: Sequence[float], *, n_sets: int, seed: int) -> Iterator[Block]:
    """Simulated data sets of as many systems as there are values, ``N_PER_BLOCK`` at a time."""
    for start in range(0, n_sets, N_PER_BLOCK):
        yield _block(world, values, min(N_PER_BLOCK, n_sets - start), np.random.default_rng([seed, start]), start)


def _block(world: World, values: Sequence[float], n_sets: int, rng: np.random.Generator, seed: int) -> Block:
    n = np.zeros((world.n_locations, 1 + len(world.devices)), dtype=int)
    n[:, 0] = rng.integers(world.clips[0], world.clips[1], endpoint=True, size=len(n))
    for column, (every, fewest, most) in enumerate(world.devices, start=1):
        n[::every, column] = rng.integers(fewest, most, endpoint=True, size=len(n[::every]))
    easy = rng.normal(0, world.shared, size=(world.n_locations, n_sets, 1))
    easy = easy + rng.normal(0, world.own, size=(world.n_locations, n_sets, len(values)))
    make = {"accuracy": _right, "log loss": _losses, "error rate": _errors}[world.kind]
    sums = make(rng, world, np.asarray(values), n, easy)
    both = np.zeros((n_sets, 2))
    if world.kind == "accuracy":
        # Which clips are right is independent between systems, given the location: so is what both get right.
        right = sums.astype(int)
        shared_right = rng.hypergeometric(
            right[..., 0], n[..., None] - right[..., 0], np.minimum(right[..., 1], n[..., None])
        )
        both = np.stack([(right[..., i] - shared_right).sum(axis=(0, 1)) for i in (0, 1)], axis=1).astype(float)
    return Block(world, n.astype(float), sums.astype(float), both, seed)


def _right(rng: np.random.Generator, world: World, values: Floats, n: npt.NDArray, easy: Floats) -> Floats:
    spread = math.sqrt(1 + world.shared**2 + world.own**2)
    p = stats.norm.cdf(stats.norm.ppf(values) * spread + easy)
    return rng.binomial(n[:, :, None, None], p[:, None])


_CLIP_SD = 1.5


def _losses(rng: np.random.Generator, world: World, values: Floats, n: npt.NDArray, easy: Floats) -> Floats:
    """Sums of log losses of two classes: the margin of a clip is normal."""
    spread = math.sqrt(world.shared**2 + world.own**2 + _CLIP_SD**2)
    margin = np.array([_margin(float(value), spread) for value in values])
    sums = np.zeros_like(easy)
    for i in range(int(n.max())):
        loss = np.logaddexp(0, -(margin + easy + rng.normal(0, _CLIP_SD, size=easy.shape)))
        sums += np.where(i < n[:, :1, None], loss, 0)
    return sums[:, None]


def _margin(loss: float, spread: float) -> float:
    """Mean margin with which the mean loss is this one, by Gauss-Hermite quadrature and bisection."""
    from scipy.optimize import brentq

    x, w = np.polynomial.hermite_e.hermegauss(80)

    def excess(margin: float) -> float:
        return float(w @ np.logaddexp(0, -(margin + spread * x)) / w.sum()) - loss

    return float(brentq(excess, -20, 20))


def _errors(rng: np.random.Generator, world: World, values: Floats, n: npt.NDArray, easy: Floats) -> Floats:
    """Errors among reference events: Poisson, with a log-normal rate of mean ``value``."""
    rate = values * np.exp(easy - (world.shared**2 + world.own**2) / 2)
    return rng.poisson(n[:, :1, None] * rate)[:, None]


def _percentile_p(difference: float, resampled: Floats) -> float:
    """Shifted percentile bootstrap (Efron and Tibshirani 1993, chapter 16): what few locations make too small."""
    beyond = (np.abs(resampled - difference) >= abs(difference) - 1e-12).sum()
    return float((1 + beyond) / (len(resampled) + 1))


def pair_figures(world: World, *, n_sets: int, seed: int = 0) -> dict[str, float]:
    """Shares of data sets in which tests find two equal systems different and intervals hold the truth."""
    truth, other, share = world.value, world.unequal, world.kind == "accuracy"
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(float(value))

    for block in blocks(world, (truth, truth, other), n_sets=n_sets, seed=seed):
        locations, observed, resampled = block.locations, block.observed, block.resampled
        alike, unlike = block.disagreement(0, 1), block.disagreement(0, 2)
        plain = stats.t.ppf(0.975, world.n_locations - len(world.sizes))
        add("dof", locations.dof)
        for i in range(len(observed)):
            value, drawn = observed[i], resampled[:, i]
            equal, change = value[0] - value[1], drawn[:, 0] - drawn[:, 1]
            add("percentile rejects", _percentile_p(equal, change) <= 0.05)
            add("plain t rejects", abs(equal) > plain * change.std(ddof=1) + 1e-12)
            pair = paired_bootstrap(equal, change, locations, disagreement=alike[i])
            add("rejects", pair.p <= 0.05)
            better, change = value[2] - value[0], drawn[:, 2] - drawn[:, 0]
            add("plain t finds", abs(better) > plain * change.std(ddof=1) + 1e-12)
            pair = paired_bootstrap(better, change, locations, disagreement=unlike[i])
            add("finds", pair.p <= 0.05)
            add("difference covered", pair.low - 1e-12 <= other - truth <= pair.high + 1e-12)
            low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
            add("percentile covers", low - 1e-12 <= truth <= high + 1e-12)
            single = value_interval(value[0], drawn[:, 0], locations, bounds=world.bounds, share=share)
            add("value covered", single.low <= truth <= single.high)
    return {name: float(np.mean(values)) for name, values in found.items()}


def family_figures(world: World, *, n_systems: int = 10, n_sets: int, seed: int = 0) -> dict[str, float]:
    """Shares of data sets with at least one false difference among all pairs of equal systems, after Holm."""
    first, second = np.triu_indices(n_systems, 1)
    plain_dof, any_false = world.n_locations - len(world.sizes), np.zeros(3)
    for block in blocks(world, [world.value] * n_systems, n_sets=n_sets, seed=seed):
        locations, observed, resampled = block.locations, block.observed, block.resampled
        disagreements = np.array([block.disagreement(a, b) for a, b in zip(first, second, strict=True)])
        for i in range(len(observed)):
            differences = observed[i, first] - observed[i, second]
            drawn = resampled[:, i, first] - resampled[:, i, second]
            old = [_percentile_p(d, column) for d, column in zip(differences, drawn.T, strict=True)]
            plain = 2 * stats.t.sf(np.abs(differences) / np.maximum(drawn.std(axis=0, ddof=1), 1e-12), plain_dof)
            triples = zip(differences, drawn.T, disagreements[:, i], strict=True)
            own = [paired_bootstrap(d, column, locations, disagreement=share).p for d, column, share in triples]
            any_false += [holm(p).min() <= 0.05 for p in (old, plain, own)]
    return dict(zip(("percentile", "plain t", "asc-bench"), (any_false / n_sets).tolist(), strict=True))


def paper_figures(world: World, *, n_sets: int, seed: int = 0) -> dict[str, float]:
    """Shares of data sets in which each test finds one of two equal systems better, at a nominal 5 %.

    The z-tests are one-tailed for whichever system came out better, as the papers use them.
    """
    rejected = np.zeros(4)
    for block in blocks(world, [world.value] * 2, n_sets=n_sets, seed=seed):
        locations, observed, resampled = block.locations, block.observed, block.resampled
        alike = block.disagreement(0, 1)
        n_total, n_by_device = int(block.n.sum()), block.n.sum(axis=0).astype(int).tolist()
        for i in range(len(observed)):
            a, b = sorted(observed[i], reverse=True)
            better = int(np.argmax(observed[i]))
            by_device = block.sums[:, :, i].sum(axis=0) / block.n.sum(axis=0)[:, None]
            stratified = stratified_z(by_device[:, better].tolist(), by_device[:, 1 - better].tolist(), n_by_device)
            drawn = resampled[:, i, 0] - resampled[:, i, 1]
            pair = paired_bootstrap(observed[i, 0] - observed[i, 1], drawn, locations, disagreement=alike[i])
            rejected += [
                two_proportion_z(a, b, n_total, n_total).p <= 0.05,
                stratified.p <= 0.05,
                mcnemar_exact(*(int(n) for n in block.both[i])) <= 0.05,
                pair.p <= 0.05,
            ]
    names = ("z as published", "z stratified", "McNemar", "asc-bench")
    return dict(zip(names, (rejected / n_sets).tolist(), strict=True))


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def _heading(*titles: str) -> str:
    return "| " + " | ".join(titles) + " |\n|" + " --- |" + " ---: |" * (len(titles) - 1)


_PAIR_TITLES = {
    "percentile rejects": "percentile rejects",
    "plain t rejects": "plain t rejects",
    "rejects": "asc-bench rejects",
    "plain t finds": "plain t finds",
    "finds": "asc-bench finds",
    "difference covered": "asc-bench covers difference",
    "percentile covers": "percentile covers score",
    "value covered": "asc-bench covers score",
}


def main(n_sets: int) -> None:
    """Print the three tables as Markdown."""
    start = time.process_time()
    print(f"\n{n_sets:,} simulated data sets in each row, {N_RESAMPLES:,} resamples, seed 0.\n")
    print(_heading("simulated test set", "locations", "dof", *_PAIR_TITLES.values()))
    for world in PAIRS:
        found = pair_figures(world, n_sets=n_sets)
        cells = [str(world.n_locations), f"{found['dof']:.1f}", *(_percent(found[n]) for n in _PAIR_TITLES)]
        print(_row(world.title, cells), flush=True)
    n_families = n_sets // 4
    print(f"\n{n_families:,} simulated data sets of ten equal systems in each row, seed 1.\n")
    print(_heading("simulated test set", "locations", "percentile", "plain t", "asc-bench"))
    for world in FAMILIES:
        found = family_figures(world, n_sets=n_families, seed=1)
        print(_row(world.title, [str(world.n_locations), *map(_percent, found.values())]), flush=True)
    print(f"\n{n_sets:,} simulated data sets in each row, seed 2.\n")
    print(_heading("simulated test set", "z as published", "z stratified", "McNemar", "asc-bench"))
    for world in PAPERS:
        print(_row(world.title, [*map(_percent, paper_figures(world, n_sets=n_sets, seed=2).values())]), flush=True)
    print(f"\n{time.process_time() - start:.0f} s of one core.")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
