"""Values that a user gives as options: what is taken, and what is said of the others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import numpy as np
import pytest

from asc_bench.errors import ConfigError
from asc_bench.plain_values import checked, paths, texts


class Shape(TypedDict, total=False):
    number: int
    truth: bool
    text: str | int
    names: str | Iterable[str] | None
    folders: str | Path | Iterable[str | Path] | None


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"number": 3}, 3),
        ({"number": np.int64(3)}, 3),
        ({"truth": False}, False),
        ({"text": 3}, 3),
        ({"text": "3"}, "3"),
        ({"names": None}, None),
        ({"names": "fold1"}, "fold1"),
        ({"names": (name for name in ("a", "b"))}, ("a", "b")),
        ({"folders": [Path("x"), "y"]}, (Path("x"), "y")),
    ],
)
def test_what_fits_is_taken(given: dict[str, object], taken: object) -> None:
    (value,) = checked(given, Shape).values()
    assert value == taken and type(value) is type(taken)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nubmer": 3}, "there is no option 'nubmer'; did you mean 'number'"),
        ({"number": 1.5}, "number is 1.5, but must be a whole number"),
        ({"number": True}, "number is True, but must be a whole number"),
        ({"number": None}, "number is None, but must be a whole number"),
        ({"truth": 1}, "truth is 1, but must be True or False"),
        ({"text": True}, "text is True, but must be a text or a whole number"),
        ({"names": 1}, "names is 1, but must be a text or None or several of these"),
        ({"names": ["a", 1]}, r"names is \['a', 1\], but must be a text or None or several of these"),
        ({"folders": b"x"}, "folders is b'x', but must be a text or a path or None or several of these"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(given, Shape)


def test_one_name_is_not_its_letters() -> None:
    assert texts("esc-50") == ("esc-50",) and texts(["a", "b"]) == ("a", "b") and texts(None) == texts("") == ()
    assert paths("/data") == (Path("/data"),) == paths([Path("/data")]) and paths(None) == ()
