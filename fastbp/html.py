"""Tables and small curves for notebooks: what `_repr_html_` returns is made of these."""

import math
from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["SVG", "sparkline", "table"]

WIDTH, HEIGHT, MARGIN = 120, 24, 2  # of a curve, in pixels
MOST_POINTS = 240  # two a pixel


class SVG(str):
    """A picture made here: what a cell must be to go into a page as it is.

    The type tells, since text of a user's or a file's may begin as a picture does.
    """


def table(caption: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; cells are text, and escaped, but those of type SVG."""

    def line(tag: str, cells: Iterable[str]) -> str:
        shown = (cell if isinstance(cell, SVG) else escape(cell) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in shown) + "</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return (
        f"<table>\n<caption>{escape(caption)}</caption>\n"
        f"<thead>{line('th', header)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def sparkline(values: Sequence[float]) -> SVG:
    """Return a curve of the numbers that are finite; nothing where there are not two."""
    step = -(-len(values) // MOST_POINTS) or 1
    points = [(i, values[i]) for i in range(0, len(values), step) if math.isfinite(values[i])]
    if len(points) < 2:
        return SVG()
    low, high = min(y for _, y in points), max(y for _, y in points)
    across = (WIDTH - 2 * MARGIN) / (points[-1][0] - points[0][0])
    up = (HEIGHT - 2 * MARGIN) / (high - low or 1)
    places = " ".join(
        f"{MARGIN + (x - points[0][0]) * across:.1f},{HEIGHT - MARGIN - (y - low) * up:.1f}"
        for x, y in points
    )
    return SVG(
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img">'
        f'<polyline points="{places}" fill="none" stroke="currentColor"/></svg>'
    )
