"""Places where commands are run: other locales, notebooks, and terminals that foreign text would steer."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial

from tests.reliability.helpers import ASCII, FOREIGN, PLUGINS, STEERING, run_arguments
from tests.storm.kind import Kind, require, untimed
from tests.storm.place import Place

PAIR = ("toy-a,toy-b",)
LOCALES: Mapping[str, Mapping[str, str]] = {
    "ASCII": ASCII,
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C without UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
BACKENDS = ("module://matplotlib_inline.backend_inline", "module://not_installed", "TkAgg", "nonsense", "")
PAYLOADS = (
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "\u202e",
    "\x9b2J",
    "\r",
    "\x08\x08",
    "\x7f",
    "\x1bP+q\x1b\\",
)

PRINTED = (
    "exit code 0 the first time and from the stored files; predictions and tables on disk are exactly those of an "
    "undisturbed run"
)
DRAWN = "exit code 0, the table is printed, and every figure is drawn"
SHOWN = "no character that a terminal obeys reaches it, on stdout or stderr"


def kinds(rounds: int) -> list[Kind]:
    """Locales, backends for figures, and texts."""
    return [
        Kind("locale that is not UTF-8", PRINTED, [partial(_locale, name=name) for name in LOCALES]),
        Kind("MPLBACKEND of a notebook, or of nothing", DRAWN, [partial(_backend, name=name) for name in BACKENDS]),
        Kind("foreign text with escape sequences", SHOWN, [partial(_foreign, payload=p) for p in PAYLOADS]),
    ]


def _locale(place: Place, name: str) -> None:
    undisturbed = place.ground.undisturbed(*PAIR)
    place.n_faults += 1
    first, again = (place.run(*PAIR, **LOCALES[name]) for _ in range(2))
    require(first.returncode == again.returncode == 0, f"{name}: {first.stderr[-800:]}{again.stderr[-800:]}")
    require(first.stdout == again.stdout, f"{name}: {first.stdout!r}, and again {again.stdout!r}")
    require(place.stored() == undisturbed.digests, f"{name}: other digests")
    written, expected = (
        untimed(text.read_text(encoding="utf-8"))
        for results in (place.results, undisturbed.results)
        for text in (results / "tables").rglob("results.txt")
    )
    require(written == expected, f"{name}: another table is stored")


def _backend(place: Place, name: str) -> None:
    undisturbed = place.ground.undisturbed(*PAIR)
    place.n_faults += 1
    done = place.run(*PAIR, MPLBACKEND=name)
    require(done.returncode == 0, f"{name}: {done.stderr[-800:]}")
    require(untimed(done.stdout) == untimed(undisturbed.stdout), f"{name}: it prints {done.stdout!r}")
    drawn = {path.name for path in place.results.rglob("*.png")}
    require(drawn == {path.name for path in undisturbed.results.rglob("*.png")}, f"{name}: drawn: {drawn}")


def _foreign(place: Place, payload: str) -> None:
    folder = place.folder / "plugins"
    folder.mkdir(parents=True)
    text = re.sub(r"^CLEAR = .*$", lambda _: f"CLEAR = {payload!r}", FOREIGN, flags=re.MULTILINE)
    (folder / "rude.py").write_text(text, encoding="utf-8")
    found = {"ASC_BENCH_PLUGINS": os.pathsep.join((str(folder), str(PLUGINS)))}
    arguments = run_arguments(place.results, "rude,shy,toy-a")
    unknown = [payload if word == "dcase2018" else word for word in arguments]
    for words in (arguments, ["status", *arguments[1:]], ["list", "systems"], ["info", "rude"], unknown):
        place.n_faults += 1
        done = place.command(*words, **found)
        steering = re.findall(STEERING, done.stdout + done.stderr)
        require(not steering, f"{words[0]} prints {steering}")
        require("Traceback" not in done.stderr, f"{words[0]} shows {done.stderr[-800:]}")
