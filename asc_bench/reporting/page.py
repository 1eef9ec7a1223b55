"""The report as one HTML file that needs nothing else: no script, no request, no font."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import one_line

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Even if something slipped through the escaping, a browser would neither run nor fetch it."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
figure { margin: 1rem 0; } figcaption { font-weight: 600; margin-bottom: .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; font-size: .9rem; }
thead { border-bottom: 1px solid; } tr.apart { border-top: 1px solid; }
th, td { padding: .2rem .7rem; text-align: left; vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.notes { font-size: .85rem; color: #444; padding-left: 1.2rem; }
.caveat { background: #fff3cd; border-left: 4px solid #b8860b; padding: .5rem 1rem; }
img { max-width: 100%; height: auto; }
"""


def html_page(
    manifests: Sequence[Manifest], *, tables: Mapping[str, Sequence[Table]], images: Mapping[str, bytes]
) -> str:
    """Lay out the report.

    Parameters
    ----------
    manifests : sequence of mapping
        One per run; what they agree on becomes title, caveats and the list of versions.
    tables : mapping
        Section title to its tables.
    images : mapping
        Caption to SVG.

    Returns
    -------
    str
        A whole HTML document. Every string of a manifest, table or caption is escaped.
    """
    setting = Setting.of(manifests)
    title = escape(one_line(setting.title))
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>",
        *(f'<p class="caveat">{escape(caveat)}</p>' for caveat in setting.caveats),
    ]
    for heading, group in tables.items():
        parts.append(f"<h2>{escape(heading)}</h2>")
        parts += [table.to_html() for table in group]
    if images:
        parts.append("<h2>Figures</h2>")
    for caption, svg in images.items():
        # An image instead of inline SVG: ids of two drawings cannot meet, and nothing inside can run.
        data = base64.b64encode(svg).decode("ascii")
        text = escape(one_line(caption))
        image = f'<img alt="{text}" src="data:image/svg+xml;base64,{data}">'
        parts.append(f"<figure><figcaption>{text}</figcaption>{image}</figure>")
    parts += ["<h2>How it was run</h2>", _summary(manifests).to_html(), "</body>\n</html>\n"]
    return "\n".join(parts)


def _summary(manifests: Sequence[Manifest]) -> Table:
    """Values that the manifests hold, one row each; runs that differ show every value."""
    found: dict[str, dict[str, None]] = {}
    for manifest in manifests:
        versions = manifest.get("versions") or {}
        counts = manifest.get("n_clips") or {}
        facts = {
            "protocol": f"{manifest['protocol']}, version {manifest['protocol_version']}",
            "data digest": (manifest.get("key_parts") or {}).get("data"),
            "device": manifest.get("device"),
            "threads": manifest.get("n_threads"),
            **{f"{split} clips": n for split, n in counts.items()},
            **{f"version of {name}": version for name, version in sorted(versions.items())},
        }
        for name, value in facts.items():
            if value is not None:
                found.setdefault(name, {})[str(value)] = None
    rows = tuple((name, " / ".join(values)) for name, values in found.items())
    return Table("What the runs' manifests say", ("fact", "value"), rows)
