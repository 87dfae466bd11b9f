"""Every recipe runs in its shortened form, prints its table and draws its figures."""

import warnings

import numpy as np
import pytest
from commands import run
from numpy.testing import assert_allclose

from fastbp.book import Lab, recipes
from fastbp.book_figures import draw, FIGURES

NAMES = [recipe.name for recipe in recipes()]


@pytest.fixture(scope="module")
def lab():
    return Lab(seed=0, short=True)


@pytest.mark.parametrize("name", NAMES)
def test_shortened_form(lab, name, tmp_path):
    (recipe,) = recipes([name])
    outcomes = recipe.run(lab)
    assert all(np.isfinite(outcome.here) for outcome in outcomes)
    with warnings.catch_warnings():
        # matplotlib's own, of versions that are older than ours of Python or NumPy
        warnings.simplefilter("ignore", DeprecationWarning)
        files = draw(lab, name, tmp_path / "figures")
    assert [file.stem for file in files] == [title for title, _ in FIGURES.get(name, [])]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_mazur_to_all_digits():
    (recipe,) = recipes(["mazur"])
    for outcome in recipe.run(Lab()):
        assert_allclose(outcome.here, outcome.source, rtol=2e-6, err_msg=outcome.what)


def test_gradients_vanish_towards_the_input(lab):
    (recipe,) = recipes(["layer-speeds"])
    for outcome in recipe.run(lab):
        assert outcome.source / 2 < outcome.here < 2 * outcome.source


def test_short_training_learns(lab):
    (recipe,) = recipes(["regularization"])
    assert max(outcome.here for outcome in recipe.run(lab)) > 60


def test_same_seed_same_numbers():
    (recipe,) = recipes(["overfitting"])
    first, second, other = (recipe.run(Lab(seed=s, short=True)) for s in (1, 1, 2))
    assert first == second != other


def test_command():
    listed = run("book")
    assert listed.exit_code == 0
    assert all(name in listed.output for name in NAMES)
    assert "95.42 %" in listed.output
    done = run("book", "overfitting", "--short", "--seed", "3")
    assert done.exit_code == 0
    assert "seed 3" in done.output
    assert "87.10 %" in done.output
    wrong = run("book", "overfiting")
    assert wrong.exit_code == 2
    (line,) = wrong.stderr.splitlines()
    assert line.startswith("fastbp book: recipe: got 'overfiting'")
    assert line.endswith("did you mean 'overfitting'?")
