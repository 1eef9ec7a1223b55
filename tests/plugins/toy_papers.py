"""A published table and a published figure of the toy systems."""

from __future__ import annotations

from asc_bench.api import Cell, Material, PaperFigure, Part, Reproduction


class ToyTable(Reproduction):
    name = "toy/table1"
    title = "Toy, Table I"
    protocol = "dcase2018"
    axes = {"toy": ("a", "b", "crash"), "jitter": ("0.01", "5.0")}  # noqa: RUF012
    row_titles = ("toy",)
    best_of = "average"
    best_means = "best of two jitters"

    def cells(self) -> list[Cell]:
        return [
            Cell(
                at={"toy": toy, "jitter": jitter},
                row=(toy,),
                column=("jitter", jitter),
                variant=f"toy-{toy}[jitter={jitter}]",
                measure="average",
            )
            for toy in self.axes["toy"]
            for jitter in self.axes["jitter"]
        ]


class ToyFigure(PaperFigure):
    name = "toy/fig1"
    title = "Toy, Figure 1"
    protocol = "dcase2018"
    axes = {"toy": ("a", "b", "crash")}  # noqa: RUF012

    def parts(self) -> list[Part]:
        return [Part(at={"toy": toy}, variant=f"toy-{toy}") for toy in self.axes["toy"]]

    def draw(self, material: Material):
        from asc_bench.api import draw_scores

        return draw_scores(material.scores, measures=material.bench.protocol.measures_on(()), title=material.title)
