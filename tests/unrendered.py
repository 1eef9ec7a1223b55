"""Figures that are drawn but not rendered, where no test looks at them: two thirds of a small report's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

FILES = {
    "png": b"\x89PNG\r\n\x1a\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "pdf": b"%PDF-1.4\n",
}
"""What stands in the files instead, by their endings."""


def do_not_render(set_attribute: Callable[[object, str, object], None]) -> None:
    """Replace what lays out, measures and writes a figure; `setattr`, or that of a ``pytest.MonkeyPatch``.

    All that makes a figure runs as ever, and so does what writes its files.
    """
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    set_attribute(Figure, "draw_without_rendering", lambda figure: None)
    set_attribute(Figure, "get_tightbbox", lambda figure: Bbox.unit())
    set_attribute(Figure, "savefig", _write)


def _write(figure: object, buffer: IO[bytes], *, format: str, **_: Any) -> None:
    buffer.write(FILES[format])
