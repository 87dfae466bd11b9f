"""Fraction of the FMA peak over widths and batches, to see that no shape falls off a cliff.

    taskset -c 1 python sweep.py --step 11 --csv sweep.csv --png ../docs/sweep.png

Measures the three products of a layer [width, width], and a whole training step of the net
[width, width, 10] (relu, softmax, Adam). Widths are swept for a few batches, batches for a few
widths, in odd steps, which meet every remainder that tiles and vectors can leave. The peak is
measured between the calls (benchmarks/measure.py). Prints the dips: points a tenth or more below
the points around them. Needs matplotlib (the extra `plot`) for --png.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.cells import Cell, MODERN
from benchmarks.kernel_loops import Part, PRODUCTS, Steps
from benchmarks.measure import measured, Work
from tqdm import tqdm

from fastbp.plotting import require_matplotlib

WORKS = (*PRODUCTS, "step")
WIDTHS, BATCHES = (1, 1030), (1, 513)
BATCHES_OF_WIDTHS = (1, 10, 32, 128, 513)
WIDTHS_OF_BATCHES = (30, 100, 512, 1030)


class Point(NamedTuple):
    """A row of the CSV."""

    work: str
    width: int
    batch: int
    gflops: float
    peak_gflops: float
    fraction_of_peak: float


def points(width: int, batch: int, seconds: float) -> Iterator[Point]:
    """Measure the works at one width and batch."""
    part = Part(width, width, batch, "relu", "float32")
    step = Steps(Cell((width, width, 10), *MODERN, batch, batch))
    works = {name: Work(partial(part.product, name), part.flops) for name in PRODUCTS}
    works["step"] = Work(step.run, step.flops)
    for name, rates in measured(works, 3, seconds).items():
        yield Point(name, width, batch, rates.gflops, rates.peak_gflops, rates.fraction_of_peak)


def shapes(step: int) -> list[tuple[int, int]]:
    """Return every (width, batch) once; the last of each range is among them."""
    widths = {*range(WIDTHS[0], WIDTHS[1], step), WIDTHS[1]}
    batches = {*range(BATCHES[0], BATCHES[1], step), BATCHES[1]}
    chosen = {(width, batch) for width in widths for batch in BATCHES_OF_WIDTHS}
    return sorted(chosen | {(width, batch) for batch in batches for width in WIDTHS_OF_BATCHES})


class Line(NamedTuple):
    """Points of one work, in order, at a fixed width or a fixed batch."""

    name: str
    over: str  # width or batch
    points: list[Point]

    @property
    def label(self) -> str:
        """What is fixed."""
        fixed = "batch" if self.over == "width" else "width"
        return f"{fixed} {getattr(self.points[0], fixed)}"

    def coordinates(self) -> tuple[list[int], list[float]]:
        """What to draw."""
        places = [getattr(point, self.over) for point in self.points]
        return places, [point.fraction_of_peak for point in self.points]

    def dips(self) -> Iterator[str]:
        """Describe points a tenth or more below the median of the two on either side."""
        places, heights = self.coordinates()
        for i in range(2, len(heights) - 2):
            around = median(heights[i - 2 : i] + heights[i + 1 : i + 3])
            if heights[i] < 0.9 * around:
                at = f"{self.name}, {self.label}, {self.over} {places[i]}"
                yield f"{at}: {heights[i]:.2f} among {around:.2f}"


def lines(rows: list[Point], work: str) -> list[Line]:
    """Return the lines of one work: first over widths, then over batches."""
    of_work = sorted(row for row in rows if row.work == work)
    over_widths = [[p for p in of_work if p.batch == batch] for batch in BATCHES_OF_WIDTHS]
    over_batches = [[p for p in of_work if p.width == width] for width in WIDTHS_OF_BATCHES]
    return [
        *(Line(work, "width", points) for points in over_widths),
        *(Line(work, "batch", points) for points in over_batches),
    ]


def draw(rows: list[Point], file: Path) -> None:
    """Draw a panel for each work, over widths above and over batches below."""
    figure = require_matplotlib()(figsize=(4 * len(WORKS), 7), layout="constrained")
    panels = figure.subplots(2, len(WORKS), sharey=True, squeeze=False)
    for column, work in enumerate(WORKS):
        above, below = panels[0, column], panels[1, column]
        for line in lines(rows, work):
            panel = above if line.over == "width" else below
            panel.plot(*line.coordinates(), label=line.label, linewidth=1)
        above.set(title=work, xlabel="width")
        below.set(xlabel="batch")
        for panel in (above, below):
            panel.set_ylim(0, 1)
            panel.grid(alpha=0.3)
    for row in panels:
        row[0].set_ylabel("fraction of the FMA peak")
        row[0].legend(loc="lower right", fontsize="small")
    figure.savefig(file, dpi=120)


def main(arguments: list[str]) -> None:
    """Do what the module says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, default=Path("sweep.csv"))
    parser.add_argument("--png", type=Path)
    parser.add_argument("--step", type=int, default=7, help="of widths and batches; odd")
    parser.add_argument("--seconds", type=float, default=0.01, help="of each of three rounds")
    chosen = parser.parse_args(arguments)
    if chosen.step % 2 == 0:
        parser.error("an even step misses every other remainder")
    if chosen.png:
        require_matplotlib()  # before the measuring, not after it
    rows = []
    with chosen.csv.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Point._fields)
        for width, batch in tqdm(shapes(chosen.step), unit=" shapes"):
            found = list(points(width, batch, chosen.seconds))
            writer.writerows(found)
            rows += found
    for work in WORKS:
        for line in lines(rows, work):
            for dip in line.dips():
                print(dip)
    if chosen.png:
        draw(rows, chosen.png)


if __name__ == "__main__":
    main(sys.argv[1:])
