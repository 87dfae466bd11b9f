"""Every recipe runs in its shortened form, prints its table and draws its figures."""

import random
import re
import sys
import warnings

import book_loop
import numpy as np
import pytest
from commands import run
from numpy.testing import assert_allclose

from fastbp.book import Lab, mean, recipes, shown
from fastbp.book_figures import draw, FIGURES
from fastbp.book_reruns import pairs, python2_shuffle, Python2Network, the_books_draws

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
    (recipe,) = recipes(["quadratic"])
    first, second, other = (recipe.run(Lab(seed=s, short=True)) for s in (1, 1, 2))
    assert first == second != other


def test_python_2_took_one_random_number_for_each_position():
    numbers = iter([0.99, 0.5, 0.0, 0.74])
    order = np.arange(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "random", lambda: next(numbers))
        python2_shuffle(order)
    # 4 stays; 3 with 2; 2 with 0; 1 stays
    assert order.tolist() == [3, 1, 0, 2, 4]
    assert next(numbers, None) is None


def test_the_books_draws_are_seeded_alike_and_leave_the_generators_alone(lab):
    (recipe,) = recipes(["overfitting"])
    book_loop.seed(1)
    expected = book_loop.next_draws()
    book_loop.seed(1)
    first = recipe.run(lab)
    assert book_loop.next_draws() == expected
    assert recipe.run(Lab(seed=5, short=True)) == first


def test_rerun_is_the_loop_over_examples_with_python_2s_shuffle(lab, monkeypatch):
    """Weights of a figure's program, from the same draws, by the book's algorithm."""
    data = lab.data("training", 100)
    with the_books_draws():
        net = Python2Network([784, 5, 10])
        net.large_weight_initializer()
        net.train(pairs(data, "columns"), 2, 0.5, 0.1, watch=())
    monkeypatch.setattr(random, "shuffle", shuffle_list)
    with the_books_draws():
        book_loop.draw([784, 5, 10], True)
        weights, biases = book_loop.draw([784, 5, 10], False)
        weights, _ = book_loop.train(weights, biases, pairs(data, "columns"), 2, 10, 0.5, 0.1)
    for ours, theirs in zip(net.weights, weights, strict=True):
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def shuffle_list(values):
    for i in reversed(range(1, len(values))):
        j = int(random.random() * (i + 1))
        values[i], values[j] = values[j], values[i]


def test_means_and_what_is_off():
    outcome = mean("x", 90.0, [90.0, 90.2, 91.3])
    assert shown(outcome) == ("90.00 %", "90.50 % (90.00 % to 91.30 %)")
    assert not outcome.is_off
    assert mean("x", 90.0, [91.0]).is_off
    assert not mean("x", 0.0, [91.0], "length").is_off


def invoke(*arguments):
    return run("book", *arguments)


def test_list():
    listed = invoke()
    assert listed.exit_code == 0
    assert all(name in listed.output for name in NAMES)
    for number in ("95.42 %", "87.10 %", "98.04 %", "0.7 %", "0.35 %", "0.49 %", "0.283"):
        assert number in listed.output


def test_run():
    done = invoke("quadratic", "--short", "--seed", 3)
    assert done.exit_code == 0
    assert "seed 3" in done.output
    assert "95.42 %" in done.output
    assert "seed 12345678" in invoke("overfitting", "--short", "--seed", 3).output


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib's own
def test_page(tmp_path):
    folder, file = tmp_path / "my figures", tmp_path / "docs" / "book.md"
    done = invoke("depth", "mazur", "depth", "--short", "--plot", folder, "--page", file)
    assert done.exit_code == 0, done.output
    text = file.read_text()
    assert text.count("\n## ") == 2  # a recipe named twice is run once
    assert "| 2 hidden layers | 96.90 % |" in text
    assert "- [depth](#depth), 2 hidden layers: 96.90 % there," in text  # two epochs are too few
    assert f"fastbp book depth mazur depth --short --plot '{folder.as_posix()}'" in text
    (link,) = re.findall(r"!\[depth\]\((.*)\)", text)
    assert (file.parent / link).resolve() == folder / "depth.png"
    assert not re.search("nan", text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["quadrati"], "recipe: got 'quadrati', .* did you mean 'quadratic'\\?"),
        (["mazur", "--all"], "exclude"),
        (["--plot", "."], "need names"),
        (["mazur", "--plot", __file__], "is a file"),
        (["mazur", "--page", __file__ + "/page.md"], "File exists"),
        (["mazur", "--seed", "-1"], "-1"),
    ],
)
def test_mistakes(arguments, text):
    wrong = invoke(*arguments)
    assert wrong.exit_code == 2
    (line,) = wrong.stderr.splitlines()
    assert line.startswith("fastbp book: ")
    assert re.search(text, line)


def test_figures_without_matplotlib_are_refused_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    wrong = invoke("mazur", "--plot", tmp_path / "figures")
    assert wrong.exit_code == 2
    assert wrong.stdout == ""
    assert 'pip install "fastbp[plot]"' in wrong.stderr
