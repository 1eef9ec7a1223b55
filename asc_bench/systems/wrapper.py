"""Systems around another system, which one of their settings names."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

from asc_bench.features.frontends import FrontEnd
from asc_bench.systems.base import Params, System, Task
from asc_bench.systems.torch_system import TorchSystem


class WrapperSystem(System):
    """Base of a system that trains or uses another one in its own way. Whoever builds it sets ``inner``.

    Attributes
    ----------
    inner : System
        The system that the settings name, built for ``inner_task``.
    """

    inner_setting: ClassVar[str]
    """The field of ``Params`` that names the inner system, such as ``sb-cnn[bn=true]``."""

    seeded_as_inner: ClassVar[bool] = False
    """Whether its runs have the seeds of the inner system's: both begin with the same weights and batches then."""

    inner: System

    @classmethod
    def inner_name(cls, params: Params) -> str:
        """The inner system with its settings, as text."""
        return str(getattr(params, cls.inner_setting))

    @property
    def inner_task(self) -> Task:
        """What the inner system is built for; by default the same task."""
        return self.task

    def front_end(self) -> FrontEnd:
        """That of the inner system."""
        return self.inner.front_end()

    def external_files(self) -> tuple[Path, ...]:
        """Those that the settings of the inner system name."""
        return self.inner.external_files()


class NetworkWrapper(WrapperSystem):
    """Base of a system around a neural one, which chooses on validation clips what that one chooses."""

    @property
    def uses_validation(self) -> bool:
        """As the inner system."""
        return self.inner.uses_validation

    @property
    def _network(self) -> TorchSystem:
        return cast("TorchSystem", self.inner)
