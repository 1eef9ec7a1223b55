"""What the page shows of trainings: points of lines, and the numbers of each run as text."""

from __future__ import annotations

from typing import Any

from asc_bench.reporting.curves import QUANTITIES, Curve, Points, mean_points
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.page.systems import finite
from asc_bench.reporting.text import decimals, percent

_FIGURES = 4
"""Significant ones of a point of a line."""


def learning_curves(evaluation: Evaluation) -> dict[str, Any]:
    """Systems with a history, best first, and the names of the others; histories are read now.

    Points are ``[[steps], [values]]``, None for what is not finite; accuracies are fractions.
    """
    curves = evaluation.curves
    return {
        "systems": {
            system: {
                "n_runs": own.n_runs,
                "n_shown": own.n_shown,
                "parts": [
                    {
                        "part": part,
                        "runs": [_run(curve) for curve in runs],
                        "means": {
                            name: _points(mean_points([curve.points[name] for curve in runs]))
                            for name in QUANTITIES
                        },
                    }
                    for part, runs in own.parts.items()
                ],
            }
            for system, own in curves.items()
        },
        "without": [o.system for o in evaluation.outcomes if o.system not in curves] if curves else [],
    }


def _run(curve: Curve) -> dict[str, Any]:
    return {
        "run": curve.run,
        "n_steps": curve.n_steps,
        "points": {name: _points(curve.points[name]) for name in QUANTITIES},
        "texts": [
            f"{curve.n_epochs:,}",
            f"{curve.n_steps:,}",
            decimals(curve.last("train_loss")),
            decimals(curve.last("validation_loss")),
            decimals(curve.lowest_loss),
            percent(curve.last("validation_accuracy")),
            percent(curve.highest_accuracy),
        ],
    }


def _points(points: Points) -> list[list[Any]]:
    steps = [step for step, _ in points]
    return [steps, [finite(float(f"{value:.{_FIGURES}g}")) for _, value in points]]
