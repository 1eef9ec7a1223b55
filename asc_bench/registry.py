"""Names to systems, protocols and papers' tables and figures: built in, plugged in or from other packages."""

from __future__ import annotations

import fnmatch
import hashlib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from asc_bench.data.layouts import LAYOUTS, FolderLayout, Layout
from asc_bench.errors import AscBenchError, ConfigError
from asc_bench.folder_protocol import FolderProtocol
from asc_bench.names import near
from asc_bench.protocol import Protocol
from asc_bench.systems.base import Card, System

T = TypeVar("T")

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
API_VERSION = 1
PLUGINS_VARIABLE = "ASC_BENCH_PLUGINS"


@dataclass(frozen=True)
class Unavailable:
    """Something that is registered but cannot be used, and why."""

    name: str
    reason: str
    origin: str


@dataclass
class Registry(Generic[T]):
    """What there is by name; a name is given once, and a near miss is answered with the near name."""

    kind: str
    found: dict[str, T] = field(default_factory=dict)
    unavailable: dict[str, Unavailable] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Usable names, sorted."""
        return sorted(self.found)

    def get(self, name: str) -> T:
        """What has this name.

        Raises
        ------
        ConfigError
            If the name is unknown (with the near names) or unavailable (with the reason).
        """
        if name in self.found:
            return self.found[name]
        if name in self.unavailable:
            raise ConfigError(f"{self.kind} {name!r} is unavailable: {self.unavailable[name].reason}")
        raise ConfigError(f"there is no {self.kind} {name!r}{near(name, self.names())}")

    def match(self, pattern: str) -> list[str]:
        """Names that match a glob, sorted; at least one."""
        names = fnmatch.filter(self.names(), pattern)
        if not names:
            raise ConfigError(f"no {self.kind} matches {pattern!r}; there are {', '.join(self.names())}")
        return names


def remark(cls: type[System]) -> str:
    """Why a system does not run with its default settings on this machine; empty if it does."""
    try:
        reason = cls.why_not(cls.Params())
    except ConfigError as error:
        return f"needs settings: {error}"
    return f"unavailable: {reason.text}" if reason else ""


def by_name_only(cls: type[System]) -> str:
    """Why ``all`` leaves a system out that runs when it is named; empty if it does not."""
    return f"not in all: {cls.only_by_name}" if cls.only_by_name else ""


def origin(cls: type) -> str:
    """File and line of a class, for messages."""
    try:
        return f"{inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):
        return cls.__module__


@cache
def systems() -> Registry[type[System]]:
    """Every system that is built in or plugged in."""
    packages = ("asc_bench.baselines", "asc_bench.proposed")
    return discover("system", System, system_fault, packages)  # type: ignore[type-abstract]


@cache
def protocols() -> Registry[type[Protocol]]:
    """Every protocol that is built in or plugged in."""
    packages = ("asc_bench.protocols",)
    return discover("protocol", Protocol, _protocol_fault, packages)  # type: ignore[type-abstract]


@cache
def layouts() -> Registry[Layout]:
    """Layouts of data sets, built in or plugged in: instances at the top of a plug-in, or entry points.

    A `FolderLayout` among them is a protocol of its own name, too.
    """
    registry: Registry[Layout] = Registry("data set", dict(LAYOUTS))
    for label, load in (*_plugin_files(), *_entry_points("asc_bench.layouts")):
        try:
            loaded = load()
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises, the others must stay usable
            registry.unavailable[label] = Unavailable(label, f"{type(error).__name__}: {error}", label)
            continue
        given = vars(loaded).values() if isinstance(loaded, ModuleType) else (loaded,)
        found = [value for value in given if isinstance(value, Layout)]
        if not found and label.startswith("entry point"):
            reason = "it gives no instance of asc_bench.api.Layout"
            registry.unavailable[label] = Unavailable(label, reason, label)
        for layout in found:
            other = registry.found.get(layout.name)
            if not NAME.fullmatch(layout.name):
                reason = f"its name {layout.name!r} is not lower-case words joined by hyphens"
                registry.unavailable[layout.name] = Unavailable(layout.name, reason, label)
            elif other is not None and other != layout:
                name = f"{layout.name} ({label})"
                registry.unavailable[name] = Unavailable(name, f"its name is taken by {other.title}", label)
            else:
                registry.found[layout.name] = layout
    return registry


def layout_of(given: str | Layout) -> Layout:
    """A layout by name, or as it is; raises ConfigError for an unknown name, with the near ones."""
    return given if isinstance(given, Layout) else layouts().get(given)


def discover(
    kind: str, base: type[T], fault: Callable[[type[T]], str | None], packages: tuple[str, ...]
) -> Registry[type[T]]:
    """Subclasses of ``base`` that are built in or plugged in."""
    registry: Registry[type[T]] = Registry(kind)
    for label, load in _built_in(packages):
        _register(registry, label, load, base, fault, built_in=True)
    for label, load in (*_plugin_files(), *_entry_points(f"asc_bench.{kind}s")):
        _register(registry, label, load, base, fault, built_in=False)
    return registry


def _register(
    registry: Registry[type[T]],
    label: str,
    load: Callable[[], object],
    base: type[T],
    fault: Callable[[type[T]], str | None],
    *,
    built_in: bool,
) -> None:
    try:
        classes = list(_classes(load(), base))
    except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises, the others must stay usable
        reason = f"{type(error).__name__}: {error}{_near_of_api(error)}"
        registry.unavailable[label] = Unavailable(label, reason, label)
        return
    if not classes and not built_in:
        # One plug-in file may hold systems and no protocol; only an entry point promises the kind.
        if label.startswith("entry point"):
            reason = f"it gives no subclass of asc_bench.api.{base.__name__}"
            registry.unavailable[label] = Unavailable(label, reason, label)
        return
    for cls in classes:
        name = _name(cls) or label
        try:
            reason_or_none = fault(cls)
        except Exception as error:  # noqa: BLE001 - foreign code, as above
            reason_or_none = f"{type(error).__name__}: {error}"
        if reason_or_none is None and name in registry.found:
            other = registry.found[name]
            if other is cls:
                continue
            reason_or_none = f"its name is taken by {origin(other)}"
            if built_in:
                raise ConfigError(
                    f"two built-in {registry.kind}s are called {name!r}: {origin(cls)}, {origin(other)}"
                )
            name = f"{name} ({label})"
        if reason_or_none is not None:
            registry.unavailable[name] = Unavailable(name, reason_or_none, origin(cls))
        else:
            registry.found[name] = cls


def _near_of_api(error: Exception) -> str:
    """The near names where a file wants one of asc_bench.api that is not there: the import statement tells none."""
    wanted = re.match(r"cannot import name '(\w+)' from 'asc_bench\.api'", str(error))
    return near(wanted[1], dir(sys.modules["asc_bench.api"])) if wanted else ""


def _classes(loaded: object, base: type[T]) -> Iterator[type[T]]:
    if isinstance(loaded, ModuleType):
        for value in vars(loaded).values():
            own = inspect.isclass(value) and value.__module__ == loaded.__name__
            if own and issubclass(value, base) and not inspect.isabstract(value) and _name(value):
                yield value
    elif inspect.isclass(loaded) and issubclass(loaded, base):
        yield loaded


def _name(cls: type) -> str:
    card = getattr(cls, "card", None)
    return card.name if isinstance(card, Card) else str(getattr(cls, "name", ""))


def system_fault(cls: type[System]) -> str | None:
    """Why a class cannot be used as a system, or None."""
    if not isinstance(getattr(cls, "card", None), Card):
        return "its class has no `card = Card(...)`"
    if not NAME.fullmatch(cls.card.name):
        return f"its name {cls.card.name!r} is not lower-case words joined by hyphens"
    if cls.api_version != API_VERSION:
        return f"it was written for version {cls.api_version} of asc_bench.api; this is version {API_VERSION}"
    if inspect.isabstract(cls):
        return f"it lacks {', '.join(sorted(cls.__abstractmethods__))}"
    reason = cls.why_not()
    return reason.text if reason else None


ProtocolLike = str | type[Protocol] | Protocol | FolderLayout
"""A protocol by name, as a class or as an instance, or a folder of one's own; it need not be registered."""


def protocol_of(given: ProtocolLike) -> Protocol:
    """A protocol.

    Raises
    ------
    ConfigError
        For an unknown name (with the near names), what is no complete protocol, or one whose name another one has.
    """
    if isinstance(given, str):
        folder = None if given in protocols().found else layouts().found.get(given)
        if not isinstance(folder, FolderLayout):
            return protocols().get(given)()
        given = folder
    if isinstance(given, FolderLayout):
        given = FolderProtocol(given)
    instance = given() if isinstance(given, type) and issubclass(given, Protocol) else given
    if not isinstance(instance, Protocol):
        raise ConfigError(f"{given!r} is no protocol: give a name, or a subclass of asc_bench.api.Protocol")
    if fault := _protocol_fault(instance):
        raise ConfigError(f"{type(instance).__qualname__} cannot be used: {fault}")
    namesake = protocols().found.get(instance.name)
    if namesake is not None and namesake is not type(instance):
        raise ConfigError(
            f"the name {instance.name!r} of {type(instance).__qualname__} is that of {origin(namesake)}: "
            "give it another one"
        )
    return instance


def protocol_set(name: object) -> tuple[type[Protocol], ...]:
    """Protocols whose mean this is a name of, by the numbers in their names; empty if it is none of such a set."""
    members = [cls for cls in protocols().found.values() if cls.mean_of and cls.mean_of == name]
    return tuple(sorted(members, key=lambda cls: (len(cls.name), cls.name)))


def _protocol_fault(cls: type[Protocol] | Protocol) -> str | None:
    if not NAME.fullmatch(getattr(cls, "name", "")):
        return f"its name {getattr(cls, 'name', '')!r} is not lower-case words joined by hyphens"
    kind = cls if isinstance(cls, type) else type(cls)
    if inspect.isabstract(kind):
        return f"it lacks {', '.join(sorted(kind.__abstractmethods__))}"
    return None


def _built_in(packages: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], object]]]:
    for package in packages:
        folder = importlib.import_module(package).__path__
        _refuse_mixed_checkouts(package, Path(next(iter(folder))))
        for module in sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_")):
            dotted = f"{package}.{module}"
            yield dotted, partial(importlib.import_module, dotted)


def _refuse_mixed_checkouts(package: str, folder: Path) -> None:
    """The harness and its systems and protocols are of one checkout, or numbers would be of neither.

    Raises
    ------
    ConfigError
        With both paths.
    """
    harness = Path(__file__).resolve().parent
    if folder.resolve().parent not in (harness, harness.parent):
        raise ConfigError(
            f"asc_bench is imported from {harness}, {package} from {folder.resolve()}: two checkouts are mixed. "
            "Install the one you mean (pip install --editable), or unset PYTHONPATH"
        )


def plugin_folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Folders named in ASC_BENCH_PLUGINS, whose Python files are read as systems, protocols and so on."""
    return [Path(p) for p in environment.get(PLUGINS_VARIABLE, "").split(os.pathsep) if p]


def _plugin_files() -> Iterator[tuple[str, Callable[[], object]]]:
    for folder in plugin_folders():
        if not folder.is_dir():
            raise ConfigError(f"{PLUGINS_VARIABLE} names {folder}, which is not a folder")
        for path in sorted(folder.glob("[!_]*.py")):
            yield str(path), partial(_load_file, path)


def _load_file(path: Path) -> ModuleType:
    """Import a plug-in as a module of a package that is its folder, so that relative imports work."""
    folder = path.parent.resolve()
    package = f"asc_bench_plugin_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"
    if package not in sys.modules:
        parent = ModuleType(package)
        parent.__path__ = [str(folder)]
        sys.modules[package] = parent
    name = f"{package}.{path.stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AscBenchError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _entry_points(group: str) -> Iterator[tuple[str, Callable[[], object]]]:
    for point in sorted(entry_points(group=group), key=lambda p: (p.name, p.value)):
        yield f"entry point {point.name}", point.load
