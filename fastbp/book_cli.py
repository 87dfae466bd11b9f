"""The command ``fastbp book``: list the recipes, or run some beside what their sources say."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fastbp.book import Lab, Recipe, recipes, shown

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
def book(
    names: tuple[str, ...], everything: bool, seed: int, short: bool, folder: Path | None
) -> None:
    """Run the experiments of "Neural Networks and Deep Learning" again.

    Without a name: list them, with what the source reports.
    """
    chosen = recipes(names)
    if not names and not everything:
        for recipe in chosen:
            show(recipe)
        return
    lab = Lab(seed=seed, short=short)
    for recipe in chosen:
        run(recipe, lab, folder)


def show(recipe: Recipe) -> None:
    """Print one recipe of the list."""
    click.echo(f"{recipe.name:<18} {recipe.title}")
    for source in recipe.sources:
        click.echo(f"{'':<18} {source}")


def run(recipe: Recipe, lab: Lab, folder: Path | None) -> None:
    """Run a recipe, print its table, draw its figures."""
    start = time.perf_counter()
    outcomes = recipe.run(lab)
    seconds = time.perf_counter() - start
    click.echo(f"{recipe.name}: {recipe.title}; seed {lab.seed}, {seconds:.1f} s")
    width = max(len(outcome.what) for outcome in outcomes)
    click.echo(f"  {'':<{width}}  {'source':>14}  {'here':>14}")
    for outcome in outcomes:
        click.echo(f"  {outcome.what:<{width}}  {shown(outcome)}")
    if folder is not None:
        from fastbp.book_figures import draw

        for file in draw(lab, recipe.name, folder):
            click.echo(f"  {file}")
