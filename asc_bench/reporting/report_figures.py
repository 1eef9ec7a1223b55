"""Which figures a report has, and how each is drawn from an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.names import near, slug
from asc_bench.reporting.class_figure import draw_recalls
from asc_bench.reporting.confusion_figure import MANY_CLASSES, coarse_counts, draw_confusions
from asc_bench.reporting.curve_figure import draw_curves
from asc_bench.reporting.evaluation import ALL_CLIPS, Evaluation
from asc_bench.reporting.figures import SCREEN, FigureStyle
from asc_bench.reporting.pareto_figure import draw_pareto
from asc_bench.reporting.rank_figure import draw_ranks
from asc_bench.reporting.score_figure import draw_devices, draw_scores
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.text import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[], "Figure"]
DEFAULT = ("scores", "ranks", "pareto", "devices", "confusion")
FIGURES = (*DEFAULT, "classes", "learning-curves")
_RANKS = "Not significantly different: systems that a bar joins; filled: from the best one"
_PARETO = "Diamonds: no other system costs no more and scores no worse"
_DEVICES = "Dashed: guessing"
_WORDS = {"default": DEFAULT, "all": FIGURES, "none": ()}


@dataclass(frozen=True, kw_only=True)
class FigureChoice:
    """Which figures a report has, and their style.

    Attributes
    ----------
    names : tuple of str
        Some of ``FIGURES``. One that does not apply, such as of devices where there is one, is not drawn.
    style : FigureStyle
        Width and titles.
    """

    names: tuple[str, ...] = DEFAULT
    style: FigureStyle = SCREEN

    @classmethod
    def of(cls, names: str | Sequence[str] = "default", *, style: FigureStyle = SCREEN) -> FigureChoice:
        """From ``default``, ``all``, ``none`` or names, separated by commas.

        Raises
        ------
        ConfigError
            For an unknown name, with the near ones.
        """
        asked = [part.strip() for part in (names.split(",") if isinstance(names, str) else names)]
        chosen: dict[str, None] = {}
        for name in asked:
            if name not in _WORDS and name not in FIGURES:
                raise ConfigError(f"there is no figure {name!r}{near(name, (*FIGURES, *_WORDS))}")
            chosen |= dict.fromkeys(_WORDS.get(name, (name,)))
        return cls(names=tuple(name for name in FIGURES if name in chosen), style=style)


def figures_of(evaluation: Evaluation, choice: FigureChoice) -> dict[str, Draw]:
    """What draws each figure that was chosen and that applies, by the stem of its files."""
    found: dict[str, Draw] = {}
    for name in choice.names:
        found |= _APPLY[name](evaluation, choice.style)
    return found


def is_figure(stem: str) -> bool:
    """Whether a file of this stem is a figure of a report."""
    return stem in FIGURES or stem.startswith("confusion-")


def _scores(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    return {"scores": partial(score_figure, evaluation, style)}


def score_figure(evaluation: Evaluation, style: FigureStyle = SCREEN) -> Figure:
    """Scores with their intervals; what the table does not show for want of test clips, no figure shows."""
    shown = evaluation.scores[evaluation.scores["system"].isin(evaluation.scored)]
    return draw_scores(shown, measures=evaluation.measures, title=evaluation.setting.title, style=style)


def _ranks(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    return {"ranks": partial(rank_figure, evaluation, style)} if evaluation.equal_groups else {}


def rank_figure(evaluation: Evaluation, style: FigureStyle = SCREEN) -> Figure:
    """Systems by the primary measure, and which of them do not differ; ConfigError where a pair was not tested."""
    primary = evaluation.measures[0]
    return draw_ranks(
        evaluation.ranked(),
        evaluation.equal_groups,
        measure=primary,
        chance=evaluation.chance().get(primary.name),
        title=f"{evaluation.setting.title}\n{_RANKS}",
        style=style,
    )


def _pareto(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    return {"pareto": partial(pareto_figure, evaluation, style)} if evaluation.costs else {}


def pareto_figure(evaluation: Evaluation, style: FigureStyle = SCREEN) -> Figure:
    """The primary measure against multiply-accumulates, size and training time; ConfigError if none is known."""
    if not evaluation.costs:
        raise ConfigError("figure of costs: no system with a score has a known cost")
    return draw_pareto(
        evaluation.ranked(),
        evaluation.costs,
        measure=evaluation.measures[0],
        title=f"{evaluation.setting.title}\n{_PARETO}",
        style=style,
    )


def _devices(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    known = {str(name) for name in evaluation.scores["measure"]}
    several = len([m for m in evaluation.of_devices if m.name in known]) > 1 and bool(evaluation.scored)
    return {"devices": partial(device_figure, evaluation, style)} if several else {}


def device_figure(evaluation: Evaluation, style: FigureStyle = SCREEN) -> Figure:
    """Scores on each recording device; raises ConfigError where the protocol has no measure for each."""
    if not evaluation.of_devices:
        raise ConfigError("figure of devices: this protocol scores no device by itself")
    chance = {m.name: value for m in evaluation.of_devices if (value := evaluation.chance().get(m.name))}
    return draw_devices(
        evaluation.scores[evaluation.scores["system"].isin(evaluation.scored)],
        measures=evaluation.of_devices,
        primary=evaluation.measures[0],
        chance=chance,
        title=evaluation.setting.title + (f"\n{_DEVICES}" if chance else ""),
        style=style,
    )


def _classes(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    return {} if evaluation.recalls().empty else {"classes": partial(class_figure, evaluation, style)}


def class_figure(evaluation: Evaluation, style: FigureStyle = SCREEN) -> Figure:
    """Recall of each class by system; raises ConfigError where there is none, as of clips with several labels."""
    recalls = evaluation.recalls()
    if recalls.empty:
        raise ConfigError("figure of classes: no system has a confusion matrix")
    recalls = recalls[recalls["device"] == recalls.groupby("system")["device"].transform("min")]
    classes = {str(s): tuple(own["label"]) for s, own in recalls.groupby("system")}
    systems = [o.system for o in evaluation.outcomes if o.system in classes]
    # Systems that predict the coarse classes alone have no recall of the fine ones.
    most = max(classes.values(), key=len)
    others = [system for system in systems if classes[system] != most]
    note = f"\nNot shown, as they predict other classes: {', '.join(others)}." if others else ""
    return draw_recalls(
        recalls,
        systems=[system for system in systems if system not in others],
        title=evaluation.setting.title + note,
        style=style,
    )


def _curves(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    return {"learning-curves": partial(curve_figure, evaluation, style)} if evaluation.histories else {}


def curve_figure(evaluation: Evaluation, style: FigureStyle = SCREEN) -> Figure:
    """How losses and accuracies went in training; raises ConfigError where no run has a history."""
    curves = evaluation.curves
    if not curves:
        raise ConfigError(
            "figure of learning curves: no run has a history; systems without a network have none, and runs that "
            "were stored by an earlier asc-bench (run them again with --force)"
        )
    without = [o.system for o in evaluation.outcomes if o.system not in curves]
    return draw_curves(curves, without=without, title=evaluation.setting.title, style=style)


def _confusions(evaluation: Evaluation, style: FigureStyle) -> dict[str, Draw]:
    scored = evaluation.scored
    return {
        f"confusion-{slug(system)}": partial(confusion_figure, evaluation, system, style=style)
        for system, frames in evaluation.confusions.items()
        if frames and system in scored
    }


def confusion_figure(
    evaluation: Evaluation, system: str, *, devices: Sequence[str] = (), style: FigureStyle = SCREEN
) -> Figure:
    """Confusion matrices of a system, all or some of its devices; of many classes those of the coarse ones."""
    frames = evaluation.confusions[system]
    title = confusion_title(system, evaluation.setting)
    labels = evaluation.labels
    if labels is not None and labels.coarse and max(len(frame) for frame in frames.values()) > MANY_CLASSES:
        frames = coarse_counts(frames, labels)
        title += f"\nCoarse classes; {len(labels.fine)} fine ones: worst-confusions.md, confusions.csv"
    panels = confusion_panels(frames)
    chosen = {name: panels[name] for name in devices} if devices else panels
    return draw_confusions(chosen, title=title, style=style)


def confusion_panels(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Counts by title of a panel."""
    return {device or ALL_CLIPS: frame for device, frame in frames.items()}


def confusion_title(system: str, setting: Setting) -> str:
    """Title of a figure of confusion matrices."""
    return f"{one_line(system)}\n{setting.title}"


_APPLY: Mapping[str, Callable[[Evaluation, FigureStyle], dict[str, Draw]]] = {
    "scores": _scores,
    "ranks": _ranks,
    "pareto": _pareto,
    "devices": _devices,
    "classes": _classes,
    "learning-curves": _curves,
    "confusion": _confusions,
}
"""What draws a figure by the name that a user chooses; nothing where it does not apply."""
