"""Tables I to III of the CAA-Net paper, to be run again: ``asc-bench reproduce caa-net/table2``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, get_args, get_type_hints

from asc_bench.api import Cell, Published, Reproduction

from ._caa_net_settings import BEST_LAYER, CONDITIONAL, POOLINGS, CaaNetParams

_CHOICES = get_type_hints(CaaNetParams)
TOPOLOGIES = tuple(POOLINGS)
TRAININGS: tuple[str, ...] = get_args(_CHOICES["training"])
LAYERS = tuple(str(layer) for layer in get_args(_CHOICES["condition_layer"]))
DEVICES = ("A", "B", "C")
AVERAGE = "average"
MODELS = tuple((topology, pooling) for topology, poolings in POOLINGS.items() for pooling in poolings)
"""Topology and pooling: the 14 rows of Tables I and II."""

_LAYER_NOTE = (
    "Conditional training adds the device at the layer that the published Table I found best for each model, "
    "as the paper does. The paper chose it on the test split, so its numbers flatter, and so do these a little."
)


def variant(topology: str, pooling: str, training: str, layer: str | int = "") -> str:
    """The system on the command line; ``layer`` is by default the best of Table I."""
    settings = f"topology={topology},pooling={pooling},training={training}"
    if training in CONDITIONAL:
        settings += f",condition_layer={layer or BEST_LAYER[topology, pooling]}"
    return f"caa-net[{settings}]"


class Table1(Reproduction):
    """At which layer to condition."""

    name = "caa-net/table1"
    title = "CAA-Net, Table I: mean accuracy over devices, by the layer that is conditioned"
    protocol = "dcase2018"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "topology": TOPOLOGIES,
        "pooling": tuple(dict.fromkeys(pooling for _, pooling in MODELS)),
        "condition_layer": LAYERS,
    }
    row_titles = ("topology", "pooling")
    best_of = AVERAGE
    best_means = "best of the four layers"
    notes = ("All by teacher forcing.",)

    def cells(self) -> Sequence[Cell]:
        """14 models by 4 layers."""
        return [
            Cell(
                at={"topology": topology, "pooling": pooling, "condition_layer": layer},
                row=(topology, pooling),
                column=("", f"layer {layer}"),
                variant=variant(topology, pooling, "teacher-forcing", layer),
                measure=AVERAGE,
                published=Published(
                    "dcase2018",
                    "caanet_table1",
                    {"topology": topology, "pooling": pooling, "condition_layer": layer},
                ),
            )
            for topology, pooling in MODELS
            for layer in LAYERS
        ]


class _ByTraining(Reproduction):
    """Some models, trained in four ways, on three devices and on average."""

    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "topology": TOPOLOGIES,
        "pooling": tuple(dict.fromkeys(pooling for _, pooling in MODELS)),
        "training": TRAININGS,
    }
    row_titles = ("topology", "pooling")
    best_of = AVERAGE
    best_means = "best average of the four training strategies"
    notes: ClassVar[tuple[str, ...]] = (_LAYER_NOTE,)
    table: ClassVar[str]
    models: ClassVar[tuple[tuple[str, str], ...]] = MODELS

    def cells(self) -> Sequence[Cell]:
        """Models by trainings by devices and their mean."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        for topology, pooling in self.models:
            for training in TRAININGS:
                at = {"topology": topology, "pooling": pooling, "training": training}
                for measure in (*DEVICES, AVERAGE):
                    yield Cell(
                        at=at,
                        row=(topology, pooling),
                        column=(training, "avg" if measure == AVERAGE else measure),
                        variant=variant(topology, pooling, training),
                        measure=measure,
                        published=Published(self.protocol, self.table, at),
                    )


class Table2(_ByTraining):
    """Four ways of training, DCASE 2018."""

    name = "caa-net/table2"
    title = "CAA-Net, Table II: accuracy by training strategy and device"
    protocol = "dcase2018"
    table = "caanet_table2"

    def remarks(self) -> Sequence[str]:
        """What the published numbers say of each other, worked out from them."""
        return (_selection_remark(), _significance_remark())


class Table3(_ByTraining):
    """Four ways of training, DCASE 2019."""

    name = "caa-net/table3"
    title = "CAA-Net, Table III: accuracy by training strategy and device"
    protocol = "dcase2019"
    table = "caanet_table3"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {**_ByTraining.axes, "pooling": ("att",)}
    models = tuple((topology, "att") for topology in TOPOLOGIES)
    notes = (_LAYER_NOTE, "That Table III used the layers of Table I is a guess: the paper does not say.")


def _printed(table: str, **where: str) -> dict[str, float]:
    from asc_bench.api import published_values

    return published_values(Published("dcase2018", table, where))


def _selection_remark() -> str:
    best = [
        max(_printed("caanet_table1", topology=t, pooling=p, condition_layer=layer)[AVERAGE] for layer in LAYERS)
        for t, p in MODELS
    ]
    table2 = [
        _printed("caanet_table2", topology=t, pooling=p, training="teacher-forcing")[AVERAGE] for t, p in MODELS
    ]
    same = sum(a == b for a, b in zip(best, table2, strict=True))
    return (
        f"In {same} of {len(MODELS)} rows the published teacher-forcing average is the best layer of the published "
        "Table I, on the same test clips."
    )


def _significance_remark() -> str:
    """The paper's claim of section IV.C, tested with all clips as one sample and with the devices as strata."""
    from asc_bench.api import stratified_z, tut_mobile, two_proportion_z

    counts = tut_mobile.TUT_2018_MOBILE.counts.folds["fold1"]["test"]
    n = [counts[device] for device in DEVICES]
    best, single = (
        _printed("caanet_table2", topology="atrous", pooling="att", training=training)
        for training in ("multi-task", "single-device")
    )
    pooled = two_proportion_z(best[AVERAGE] / 100, single[AVERAGE] / 100, sum(n), sum(n))
    strata = stratified_z([best[d] / 100 for d in DEVICES], [single[d] / 100 for d in DEVICES], n)
    return (
        f'The claim "{best[AVERAGE]} against {single[AVERAGE]}, p < 0.01" holds (z = {pooled.z:.2f}, '
        f"p = {pooled.p:.3f}) only if each mean over devices is taken for one proportion of {sum(n):,} clips; "
        f"with the devices as strata ({', '.join(f'{count:,}' for count in n)} clips) z = {strata.z:.2f}, "
        f"p = {strata.p:.3f}."
    )
