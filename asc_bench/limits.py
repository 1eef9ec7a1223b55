"""Limits on the size and the cost of a system that a challenge set: checked and shown, never enforced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from asc_bench.errors import ConfigError

COUNTED = ("n_stored", "n_nonzero_parameters", "n_nonzero", "n_nonzero_outside_batch_norm")
COSTS = ("n_parameters", "n_multiply_adds", "n_macs_dcase", *COUNTED, "n_device_models")
"""What may be known of a system's cost.

``n_parameters``: trainable parameters. ``n_multiply_adds``: of predicting one clip. ``n_macs_dcase``: the same as
the DCASE challenges count it (``asc_bench.training.complexity``). ``n_stored``: parameters, trainable or not.
``n_nonzero_parameters``: those of them that are not zero. ``n_nonzero``: numbers other than zero among parameters
and the statistics of normalisations. ``n_nonzero_outside_batch_norm``: the same without batch normalisations.
Before a training zeros count in all three. ``n_device_models``: networks of equal size of which the recording
device of a clip chooses one."""

BYTES_OF = {"float32": 4, "float16": 2, "int8": 1}
"""Bytes of one number."""

DEFAULT_PRECISION = "float32"

Quantity = Literal["parameters", "bytes", "MACs (DCASE)"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper limits, each of them included.

    Attributes
    ----------
    n_parameters, n_bytes, n_macs : int or None
        Of parameters, of the bytes that they take in the precision that a system predicts in, and of
        multiply-accumulates for one clip by the rule of the DCASE challenges; None where there is no limit.
    counted : {"n_stored", "n_nonzero_parameters", "n_nonzero", "n_nonzero_outside_batch_norm"}
        Which of ``COSTS`` parameters and bytes are counted by.
    per_device_model : bool
        Whether each network of a system that has one for each recording device is held to the limits by itself.
    remark : str
        What else the rule says, a sentence.
    source : str
        Whose rule it is.

    Raises
    ------
    ConfigError
        If nothing is limited, or a limit is not positive.
    """

    n_parameters: int | None = None
    n_bytes: int | None = None
    n_macs: int | None = None
    counted: Literal["n_stored", "n_nonzero_parameters", "n_nonzero", "n_nonzero_outside_batch_norm"] = "n_stored"
    per_device_model: bool = False
    remark: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.values():
            raise ConfigError("limits without a limit: give n_parameters, n_bytes or n_macs, or no limits at all")
        for quantity, limit in self.values().items():
            if limit < 1:
                raise ConfigError(f"limits: at most {limit} {quantity}, must be at least 1")
        if self.counted not in COUNTED:
            raise ConfigError(f"limits: counted is {self.counted!r}, must be one of {', '.join(COUNTED)}")

    def __str__(self) -> str:
        """``at most 128,000 bytes and 30,000,000 MACs (DCASE) per clip``."""
        zeros = "" if self.counted == "n_stored" else "non-zero "
        named = [
            f"{limit:,} {'' if quantity == 'MACs (DCASE)' else zeros}{quantity}"
            for quantity, limit in self.values().items()
        ]
        text = f"at most {' and '.join(named)}" + (" per clip" if self.n_macs else "")
        return text + (", for each device's network alone" if self.per_device_model else "")

    def values(self) -> dict[Quantity, int]:
        """The limits that there are."""
        found: dict[Quantity, int | None] = {
            "parameters": self.n_parameters,
            "bytes": self.n_bytes,
            "MACs (DCASE)": self.n_macs,
        }
        return {quantity: limit for quantity, limit in found.items() if limit is not None}

    def count(
        self, cost: Mapping[str, int | None], *, precision: str = DEFAULT_PRECISION
    ) -> dict[Quantity, int | None]:
        """Parameters, bytes and multiply-accumulates as this rule counts them; None where a count is not known.

        Parameters
        ----------
        cost : mapping
            ``COSTS``, all or some, such as a manifest.
        precision : str
            Of the stored numbers, one of ``BYTES_OF``.
        """
        numbers = cost.get(self.counted)
        n_models = cost.get("n_device_models") if self.per_device_model else 1
        if numbers is not None:
            numbers = -(-numbers // (n_models or 1))
        return {
            "parameters": numbers,
            "bytes": None if numbers is None else BYTES_OF[precision] * numbers,
            "MACs (DCASE)": cost.get("n_macs_dcase"),
        }

    def exceeded(
        self, cost: Mapping[str, int | None], *, precision: str = DEFAULT_PRECISION
    ) -> tuple[Quantity, ...]:
        """Quantities over their limit, among those that are known."""
        counted = self.count(cost, precision=precision)
        return tuple(q for q, limit in self.values().items() if (n := counted[q]) is not None and n > limit)

    def unknown(self, cost: Mapping[str, int | None]) -> tuple[Quantity, ...]:
        """Limited quantities that are not known."""
        counted = self.count(cost)
        return tuple(quantity for quantity in self.values() if counted[quantity] is None)
