"""A net as a table, for people to read."""

from fastbp import html
from fastbp.architecture import Architecture

__all__ = ["html_table", "table"]

HEADER = ("layer", "activation", "weights", "biases", "parameters")


def rows(net: Architecture) -> list[tuple[str, ...]]:
    """Return the cells of each layer's line."""
    lines: list[tuple[str, ...]] = []
    for layer, activation in enumerate((*net.activations, net.output), start=1):
        n_in, n_out = net.sizes[layer - 1], net.sizes[layer]
        count = f"{n_out * (n_in + 1):,}"
        lines.append((str(layer), activation, f"({n_out}, {n_in})", f"({n_out},)", count))
    return lines


def total(net: Architecture) -> str:
    """Say in a line what is true of the whole."""
    return f"loss {net.loss}, {net.dtype}, {net.n_parameters:,} parameters"


def table(net: Architecture) -> str:
    """Return one line per layer, and one for the whole."""
    cells = [HEADER, *rows(net)]
    a, b, c, d, e = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = [f"{r[0]:>{a}}  {r[1]:<{b}}  {r[2]:<{c}}  {r[3]:<{d}}  {r[4]:>{e}}" for r in cells]
    return "\n".join([*lines, total(net)])


def html_table(net: Architecture) -> str:
    """Return the same for a notebook."""
    sizes = "-".join(map(str, net.sizes))
    return html.table(f"MLP {sizes}: {total(net)}", HEADER, rows(net))
