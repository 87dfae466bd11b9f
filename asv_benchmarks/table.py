"""Write the README's tables of speeds from asv's results.

One has fastbp beside the fastest of the others, the other fastbp.sklearn beside scikit-learn.

    python asv_benchmarks/table.py [RESULTS.json] [--readme README.md]

RESULTS.json is one of asv's files, results/MACHINE/COMMIT-ENVIRONMENT.json; by default the newest.
Run it by the Python that ran the benchmarks: it names the versions that are installed there. What
stands between a table's markers in the README is replaced, if the results have numbers for it.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from datetime import datetime, UTC
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import drop_in
from benchmarks.cells import Cell, CELLS, GRADIENT_CELL, INFERENCE_ROWS

HERE = Path(__file__).parent
RUN = "asv run -E existing --set-commit-hash $(git rev-parse HEAD)"
ONE_CORE = f"{RUN} --cpu-affinity 1 --bench"
INPUTS = (
    "784 inputs are digits, the first 5,000 images of MNIST, of whose pixels four in five are 0."
)
DIGITS = "MNIST is its first 5,000 images, again and again."
FIT, SEARCH = "drop_in.Fit.time_fit", "drop_in.Search.time_search"
EPOCHS, GRADIENT = "epochs.Epochs.time_epoch", "gradients.ValueAndGrad.time_value_and_grad_10_times"
ROWS, ONE_ROW = "inference.Rows.time_10000_rows", "inference.OneRow.time_one_row_1000_times"
# What each benchmark is measured by; searches have two processes, so two cores.
SPEED = dict.fromkeys(
    (EPOCHS, GRADIENT, ROWS, ONE_ROW), f"{ONE_CORE} '^(epochs|gradients|inference)'"
)
DROP_IN = {FIT: f"{ONE_CORE} drop_in.Fit", SEARCH: f"{RUN} --bench drop_in.Search"}
PACKAGES = ("fastbp", "numba", "numpy", "scikit-learn", "torch", "jax", "optax")


class Line(NamedTuple):
    """A line of the table, and where asv has its numbers."""

    name: str
    work: str
    benchmark: str
    param: str | None  # the first parameter; the last is the peer
    count: int  # what a sample did: so many examples, or calls
    unit: str  # "examples/s" or "us"


def described(cell: Cell) -> str:
    """Say in a few words what is trained."""
    optimizer = "momentum" if cell.momentum else {"sgd": "SGD", "adam": "Adam"}[cell.optimizer]
    loss = "" if cell.output == "softmax" else f", {cell.loss.replace('_', '-')}"
    l2 = ", L2" if cell.l2 else ""
    return (
        f"{list(cell.sizes)}, {cell.hidden}, {cell.output}{loss}; "
        f"{optimizer}{l2}, batch {cell.batch}"
    )


def lines() -> list[Line]:
    """Return the lines, in the order of the table."""
    table = [
        Line(name, f"train {described(cell)}", EPOCHS, name, cell.rows, "examples/s")
        for name, cell in CELLS.items()
    ]
    net = f"{list(GRADIENT_CELL.sizes)}, {GRADIENT_CELL.hidden}, {GRADIENT_CELL.rows:,} rows"
    table.append(Line("I", f"cost and gradient, {net}", GRADIENT, None, 10, "us"))
    for name in ("A", "E"):
        work = f"forward, net of {name}, {INFERENCE_ROWS:,} rows"
        table.append(Line(f"J{name}", work, ROWS, name, INFERENCE_ROWS, "examples/s"))
    table.append(Line("J1", "forward, net of A, one row", ONE_ROW, None, 1000, "us"))
    return table


class Results:
    """One of asv's result files."""

    def __init__(self, path: Path) -> None:
        self.raw: dict[str, Any] = json.loads(path.read_text())

    def seconds(self, benchmark: str) -> dict[tuple[str, ...], float]:
        """Return a benchmark's times by its parameters; those that asv skipped are left out.

        The lower quartile of the samples: a machine that others use too is slow at times, and
        never faster than it is.
        """
        row = self.raw["results"].get(benchmark)
        if row is None:
            return {}
        columns = dict(zip(self.raw["result_columns"], row, strict=False))
        medians = columns["result"] or []
        quartiles = columns.get("stats_q_25") or medians
        keys = product(*([param.strip("'") for param in values] for values in columns["params"]))
        times = zip(keys, medians, quartiles, strict=False)
        return {
            key: median if quartile is None else quartile
            for key, median, quartile in times
            if median is not None and not math.isnan(median)
        }

    def measured_on(self) -> str:
        """Return the day of the newest number."""
        column = self.raw["result_columns"].index("started_at")
        started = [row[column] for row in self.raw["results"].values() if len(row) > column]
        return datetime.fromtimestamp(max(started) / 1000, UTC).strftime("%Y-%m-%d")

    def machine(self) -> str:
        """Describe the machine."""
        params = self.raw["params"]
        ram = f"{int(params['ram']) / 2**30:.0f} GiB" if params["ram"].isdigit() else params["ram"]
        system = params["os"].split("-")[0]  # without what a distribution calls its build
        return f"{params['cpu']}, {params['num_cpu']} cores, {ram}, {system}"


def shown(line: Line, seconds: float) -> str:
    """Return a time as the line's unit has it."""
    if line.unit == "us":
        return f"{seconds / line.count * 1e6:,.1f} us"
    return f"{line.count / seconds:,.0f}/s"


def table_rows(results: Results) -> Iterator[tuple[str, str | None]]:
    """Yield each line's work and its row of Markdown.

    None unless fastbp and another library have numbers.
    """
    for line in lines():
        first = () if line.param is None else (line.param,)
        times = results.seconds(line.benchmark)
        by_peer = {key[-1]: time for key, time in times.items() if key[:-1] == first}
        ours = by_peer.pop("fastbp", None)
        if ours is None or not by_peer:
            yield line.work, None
            continue
        best = min(by_peer, key=by_peer.__getitem__)
        cells = (line.name, line.work, shown(line, ours), f"{shown(line, by_peer[best])} {best}")
        yield line.work, f"| {' | '.join(cells)} | {by_peer[best] / ours:.2f} |"


def versions() -> str:
    """Return the installed versions of all that was measured."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def drop_in_rows(results: Results) -> Iterator[tuple[str, str | None]]:
    """Yield each fit and its row of Markdown, None unless both estimators have numbers."""
    fits, searches = results.seconds(FIT), results.seconds(SEARCH)
    works = {cell.work: {key[-1]: t for key, t in fits.items() if key[0] == name}
             for name, cell in drop_in.CELLS.items()}  # fmt: skip
    works[drop_in.SEARCH_WORK] = {key[0]: time for key, time in searches.items()}
    for work, times in works.items():
        if len(times) < 2:
            yield work, None
            continue
        theirs, ours = times["scikit-learn"], times["fastbp"]
        yield work, f"| {work} | {theirs:,.3g} s | {ours:,.3g} s | {theirs / ours:.2f} |"


def footnote(results: Results, data: str, measured_by: dict[str, str]) -> str:
    """Say how and where a table was measured, and on what data."""
    commands = dict.fromkeys(
        command for benchmark, command in measured_by.items() if results.seconds(benchmark)
    )
    return (
        f"One thread each; the lower quartile of the samples. {data} {results.machine()}; "
        f"{versions()}; commit {results.raw['commit_hash'][:8]}, {results.measured_on()}. In "
        f"`asv_benchmarks/`: {', '.join(f'`{command}`' for command in commands)}, then "
        "`python table.py`."
    )


def tables(results: Results) -> dict[str, str]:
    """Return each table that there are numbers for, by its name; say which rows there are not."""
    heads = {
        "speed": ("| | work | fastbp | best other | ratio |", INPUTS, SPEED, table_rows),
        "drop-in": ("| fit | scikit-learn | fastbp | ratio |", DIGITS, DROP_IN, drop_in_rows),
    }
    found = {}
    for name, (head, data, measured_by, rows_of) in heads.items():
        by_work = dict(rows_of(results))
        rows = [row for row in by_work.values() if row]
        if not rows:
            continue
        for work in (work for work, row in by_work.items() if not row):
            print(f"table.py: no row for {work!r}, which was not measured", file=sys.stderr)
        line = "|---" * (head.count("|") - 1) + "|"
        found[name] = "\n".join([head, line, *rows, "", footnote(results, data, measured_by)])
    if not found:
        raise SystemExit("table.py: these results have no benchmark of fastbp beside another")
    return found


def replaced(readme: str, name: str, table: str) -> str:
    """Return the README with a table between its markers."""
    first, last = (f"<!-- {name} table: {word} -->" for word in ("begin", "end"))
    before, begin, rest = readme.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise SystemExit(f"table.py: the README must hold {first} and, after it, {last}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def newest_results() -> Path:
    """Return the result file that was written last."""
    files = [p for p in HERE.glob("results/*/*.json") if p.name != "machine.json"]
    if not files:
        raise SystemExit("table.py: no results yet; README.md, beside it, says how to make some")
    return max(files, key=lambda path: path.stat().st_mtime)


def main(arguments: list[str]) -> None:
    """Do what the module says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?")
    parser.add_argument("--readme", type=Path, default=HERE.parent / "README.md")
    chosen = parser.parse_args(arguments)
    text = chosen.readme.read_text()
    for name, table in tables(Results(chosen.results or newest_results())).items():
        text = replaced(text, name, table)
    chosen.readme.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
