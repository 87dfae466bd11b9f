"""The page of what recipes have given: source beside ours, and the figures; Markdown."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import llvmlite.binding as llvm

from fastbp import __version__
from fastbp.book import Outcome, Recipe, shown

__all__ = ["Result", "page"]


class Result(NamedTuple):
    """What a recipe gave, and what that took."""

    recipe: Recipe
    seed: int
    seconds: float
    outcomes: list[Outcome]
    figures: list[Path]


def page(results: Sequence[Result], command: str, beside: Path) -> str:
    """Return the page; figures are linked as seen from the folder `beside`."""
    minutes = sum(result.seconds for result in results) / 60
    machine = f"{llvm.get_host_cpu_name()}, {os.cpu_count()} cores, {platform.system()}"
    lines = [
        "# The book's experiments, run again",
        "",
        "Runs of Michael Nielsen's",
        "[Neural Networks and Deep Learning](http://neuralnetworksanddeeplearning.com) and of",
        "others, each number beside the one that its source reports. Accuracies are the best over",
        "the epochs, unless they belong to one. Where three numbers are given, they are the mean",
        "over several seeds, the least and the greatest.",
        "",
        "This page and its figures were written by",
        "",
        f"    {command}",
        "",
        f"in {minutes:.1f} minutes ({machine}; fastbp {__version__}).",
        "",
        *summary(results),
    ]
    for result in results:
        lines += section(result, beside)
    return "\n".join(lines).rstrip() + "\n"


def summary(results: Sequence[Result]) -> list[str]:
    """Return how many percentages are half a point from the source's at most, and which are not."""
    percentages = [
        (result.recipe.name, outcome)
        for result in results
        for outcome in result.outcomes
        if outcome.unit == "%"
    ]
    off = [(name, outcome) for name, outcome in percentages if outcome.is_off]
    near = f"{len(percentages) - len(off)} of {len(percentages)} percentages"
    end = "The others:" if off else ""
    lines = [f"{near} are within half a point of the source's. {end}".rstrip(), ""]
    for name, outcome in off:
        source, here = shown(outcome)
        lines.append(f"- [{name}](#{name}), {outcome.what}: {source} there, {here} here.")
    return [*lines, ""] if off else lines


def section(result: Result, beside: Path) -> list[str]:
    """Return a recipe's lines: what is run, the table, the figures."""
    recipe = result.recipe
    lines = [
        f"## {recipe.name}",
        "",
        f"{recipe.title}. Seed {result.seed}, {result.seconds:.1f} s.",
        "",
        inspect.getdoc(recipe.function) or "",
        "",
        "| | source | here |",
        "|---|---|---|",
    ]
    for outcome in result.outcomes:
        lines.append(f"| {outcome.what} | {' | '.join(shown(outcome))} |")
    for figure in result.figures:
        link = Path(os.path.relpath(figure, beside)).as_posix()
        lines += ["", f"![{figure.stem.replace('-', ' ')}]({link})"]
    return [*lines, ""]
