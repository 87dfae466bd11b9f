"""A net as a table, for people to read."""

from fastbp.architecture import Architecture

__all__ = ["table"]


def table(net: Architecture) -> str:
    """Return one line per layer, and one for the whole."""
    rows = [("layer", "activation", "weights", "biases", "parameters")]
    for layer, activation in enumerate((*net.activations, net.output), start=1):
        n_in, n_out = net.sizes[layer - 1], net.sizes[layer]
        count = f"{n_out * (n_in + 1):,}"
        rows.append((str(layer), activation, f"({n_out}, {n_in})", f"({n_out},)", count))
    a, b, c, d, e = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [f"{r[0]:>{a}}  {r[1]:<{b}}  {r[2]:<{c}}  {r[3]:<{d}}  {r[4]:>{e}}" for r in rows]
    total = f"loss {net.loss}, {net.dtype}, {net.n_parameters:,} parameters"
    return "\n".join([*lines, total])
