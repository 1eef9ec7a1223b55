"""What predicting one clip takes on one core of a CPU, measured on a fitted system once its run is over."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import unlabelled
from asc_bench.bench.host import host_facts
from asc_bench.budget import Budget
from asc_bench.clips import Clips, Features
from asc_bench.features.clip import clip_waveform
from asc_bench.features.frontends import FrontEnd
from asc_bench.runs.settings import Settings, limit_threads
from asc_bench.systems.base import System
from asc_bench.systems.sklearn_system import SklearnSystem

INFERENCE = "inference"
"""Manifest entry: the times, or why there are none."""
NOT_MEASURED = "not_measured"

N_CLIPS = 50
"""Clips that are timed at most."""
AT_LEAST = 5
"""And at least, however long that takes."""
WARM_UP = 2
"""Predictions before the first that counts: tables are filled and memory is reserved in them."""
AT_MOST_S = {Budget.SMOKE: 0.5, Budget.QUICK: 2.0, Budget.PAPER: 2.0}
"""Seconds after which no further clip is begun."""

_log = logging.getLogger("asc_bench")


def inference_time(
    system: System, bench: Bench, clip_ids: Sequence[str], settings: Settings, budget: Budget
) -> dict[str, object]:
    """Time the front end and the prediction of single clips, as a manifest entry.

    Times are processor time of the whole process with one thread, which other processes on the machine do not
    lengthen as they do the time on the clock; each is the median over the clips. The waveform is there, decoded and
    at the front end's rate, when the clock starts. A prediction is a call of ``predict`` with one clip.

    Parameters
    ----------
    system : System
        Fitted; it is not used afterwards, and left on the CPU.
    bench : Bench
        Protocol and data.
    clip_ids : sequence of str
        Test clips; those that are timed are spread evenly over them, and taken again where they are few.
    settings : Settings
        Device of the run, and its threads, to which the process returns.
    budget : Budget
        Decides how long this may take.

    Returns
    -------
    dict
        ``total_ms``, ``front_end_ms``, ``predict_ms``, ``n_clips``, ``processor``; or ``not_measured``, the reason,
        with a warning: the run is whole without.
    """
    stays = type(system).move_to is System.move_to and not isinstance(system, SklearnSystem)
    if settings.device != "cpu" and stays:
        return {NOT_MEASURED: f"it cannot be moved from {settings.device} to the CPU"}
    limit_threads(1)
    try:
        system.move_to("cpu")
        times = _times(system, bench, clip_ids, at_most_s=AT_MOST_S[budget])
    except Exception as error:  # noqa: BLE001 - a system may raise anything, and its predictions are there
        reason = f"{type(error).__name__}: {error}"
        _log.warning("%s: prediction of single clips could not be timed: %s", system.card.name, reason)
        return {NOT_MEASURED: reason}
    finally:
        limit_threads(settings.n_threads)
    front_end_s, predict_s = zip(*times, strict=True)
    totals = [sum(pair) for pair in times]
    return {
        "total_ms": _ms(totals),
        "front_end_ms": _ms(front_end_s),
        "predict_ms": _ms(predict_s),
        "n_clips": len(times),
        "processor": host_facts()["processor"],
    }


def _times(system: System, bench: Bench, clip_ids: Sequence[str], *, at_most_s: float) -> list[tuple[float, float]]:
    """Seconds of the front end and of the prediction, clip by clip."""
    front_end = system.front_end()
    nothing = np.empty((len(bench.waveforms), 0), dtype=np.float32)
    places = np.linspace(0, len(clip_ids) - 1, min(N_CLIPS, len(clip_ids))).round().astype(int)
    begun = time.perf_counter()
    found: list[tuple[float, float]] = []
    for n_done, place in enumerate(itertools.cycle(places.tolist())):
        clip_id = clip_ids[place]
        waveforms = _waveforms(bench, clip_id, front_end)
        device = unlabelled(bench, (clip_id,), nothing, system).device
        start = time.process_time()
        features = np.stack([front_end(waveform) for waveform in waveforms])
        between = time.process_time()
        system.predict(Clips(Features(features, np.arange(len(features))), device))
        end = time.process_time()
        if n_done >= WARM_UP:
            found.append((between - start, end - between))
        late = time.perf_counter() - begun > at_most_s
        if len(found) >= N_CLIPS or (len(found) >= AT_LEAST and late):
            break
    return found


def _waveforms(bench: Bench, clip_id: str, front_end: FrontEnd) -> list[npt.NDArray[np.float32]]:
    """What the front end is given of a clip: one waveform, or several views."""
    table = bench.waveforms.iloc[bench.feature_rows((clip_id,))[0]]
    return [
        clip_waveform(
            Path(str(row["path"])),
            sample_rate_hz=front_end.sample_rate_hz,
            start_s=float(row["start_s"]),
            duration_s=float(row["duration_s"]),
            heard_s=float(row["heard_s"]) if "heard_s" in row else None,
            view=str(row.get("view", "")),
        )
        for row in table.to_dict("records")
    ]


def _ms(times_s: Sequence[float]) -> float:
    return round(1000 * median(times_s), 4)
