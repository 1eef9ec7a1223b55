"""Features of one clip, straight from its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError, SystemFailure
from asc_bench.features.frontends import FrontEnd

if TYPE_CHECKING:
    from asc_bench.features.deform import Deformation


def clip_features(
    path: Path,
    front_end: FrontEnd,
    *,
    start_s: float,
    duration_s: float,
    heard_s: float | None = None,
    where: str = "",
    deformation: Deformation | None = None,
    view: str = "",
) -> npt.NDArray[np.float32]:
    """Features of one clip: decoded, brought to the front end's rate and transformed.

    Parameters
    ----------
    path : Path
        Audio file.
    front_end : FrontEnd
        What turns a waveform into features.
    start_s, duration_s : float
        Where the clip lies in the file, in seconds.
    heard_s : float, optional
        How much of it is there to be read; the rest is filled with zeros.
    where : str
        What messages call the clip; by default the path.
    deformation : Deformation, optional
        What is done to the waveform first, at the front end's rate.
    view : str
        Which waveform of a binaural recording; the mean of the channels if empty.

    Returns
    -------
    float32 array, shape ``front_end.shape(duration_s)``

    Raises
    ------
    DataError
        If the file cannot be read or does not hold the clip.
    SystemFailure
        If the front end gives another shape than it announces, or values that are not finite.
    """
    waveform = clip_waveform(
        path,
        sample_rate_hz=front_end.sample_rate_hz,
        start_s=start_s,
        duration_s=duration_s,
        heard_s=heard_s,
        view=view,
    )
    try:
        if deformation is not None:
            waveform = deformation(waveform, sample_rate_hz=front_end.sample_rate_hz)
        features = front_end(waveform)
        shape = front_end.shape(duration_s)
    except DataError as error:
        raise DataError(f"{where or path}: {error}") from error
    n_bad = np.count_nonzero(~np.isfinite(features))
    if features.shape != shape or features.dtype != np.float32 or n_bad:
        raise SystemFailure(
            f"{where or path}: {type(front_end).__name__} announced finite float32 of shape "
            f"{shape} and gave {features.dtype} of shape {features.shape}, {n_bad} values not finite"
        )
    return features


def clip_waveform(
    path: Path,
    *,
    sample_rate_hz: int,
    start_s: float,
    duration_s: float,
    heard_s: float | None = None,
    view: str = "",
) -> npt.NDArray[np.float32]:
    """One clip decoded and brought to a rate, (n_samples,), mono; parameters and errors as for `clip_features`."""
    from asc_bench.data.audio import read_audio
    from asc_bench.data.views import read_view

    heard_s = duration_s if heard_s is None else heard_s
    if view:
        waveform = read_view(path, view, sample_rate_hz=sample_rate_hz, start_s=start_s, duration_s=heard_s)
    else:
        waveform = read_audio(path, sample_rate_hz=sample_rate_hz, start_s=start_s, duration_s=heard_s)
    return np.pad(waveform, (0, max(0, round(duration_s * sample_rate_hz) - len(waveform))))
