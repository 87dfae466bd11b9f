"""The command ``fastbp book``: list the recipes, or run some beside what their sources say."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import click

from fastbp.book import Lab, Recipe, recipes, shown
from fastbp.book_page import page, Result
from fastbp.plotting import require_matplotlib

__all__ = ["book"]


@click.command(context_settings={"show_default": True})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Run every recipe.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Same seed, same result.")
@click.option("--short", is_flag=True, help="Few images and epochs: shows that it runs, no more.")
@click.option(
    "--plot",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the figures.",
)
@click.option(
    "--page",
    "page_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Markdown file for tables and figures.",
)
def book(
    names: tuple[str, ...],
    everything: bool,
    seed: int,
    short: bool,
    folder: Path | None,
    page_file: Path | None,
) -> None:
    """Run the experiments of "Neural Networks and Deep Learning" again.

    Without a name: list them, with what the source reports.
    """
    if names and everything:
        raise click.UsageError("names and --all exclude each other.")
    chosen = recipes(names)
    if not names and not everything:
        if folder or page_file:
            raise click.UsageError("--plot and --page need names of recipes, or --all.")
        for recipe in chosen:
            show(recipe)
        return
    if folder is not None:
        # Before the first recipe, not after minutes.
        require_matplotlib()
        folder.mkdir(parents=True, exist_ok=True)
    if page_file is not None:
        page_file.parent.mkdir(parents=True, exist_ok=True)
        page_file.touch()
    words = ["fastbp", "book", *(names or ["--all"])]
    words += ["--seed", str(seed)] if seed else []
    words += ["--short"] if short else []
    words += ["--plot", folder.as_posix()] if folder is not None else []
    words += ["--page", page_file.as_posix()] if page_file is not None else []
    lab, results = Lab(seed=seed, short=short), []
    for recipe in chosen:
        results.append(run(recipe, lab, folder))
        if page_file is not None:  # whatever becomes of the next recipe
            text = page(results, shlex.join(words), page_file.parent)
            page_file.write_text(text, encoding="utf-8")
    if page_file is not None:
        click.echo(page_file)


def show(recipe: Recipe) -> None:
    """Print one recipe of the list."""
    click.echo(f"{recipe.name:<18} {recipe.title}")
    for source in recipe.sources:
        click.echo(f"{'':<18} {source}")


def run(recipe: Recipe, lab: Lab, folder: Path | None) -> Result:
    """Run a recipe, print its table, draw its figures."""
    seed = lab.seed if recipe.seed is None else recipe.seed
    start = time.perf_counter()
    outcomes = recipe.run(lab)
    seconds = time.perf_counter() - start
    click.echo(f"{recipe.name}: {recipe.title}; seed {seed}, {seconds:.1f} s")
    width = max(len(outcome.what) for outcome in outcomes)
    click.echo(f"  {'':<{width}}  {'source':>14}  {'here':>14}")
    for outcome in outcomes:
        source, here = shown(outcome)
        click.echo(f"  {outcome.what:<{width}}  {source:>14}  {here:>14}")
    figures = []
    if folder is not None:
        from fastbp.book_figures import draw

        figures = draw(lab, recipe.name, folder)
        for file in figures:
            click.echo(f"  {file}")
    return Result(recipe, seed, seconds, outcomes, figures)
