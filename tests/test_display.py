"""What is shown: the time left, the log, and nets and histories in a notebook."""

import ast
import io
import logging
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from api_problems import blobs

import fastbp
from fastbp import History, MLP
from fastbp.html import MOST_POINTS, sparkline
from fastbp.progress import Progress

PACKAGE = Path(fastbp.__file__).parent


class Page(HTMLParser):
    """Cells of a page as text, and its tags; raises where they are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.cells = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)
        if tag in ("td", "th", "caption"):
            self.cells.append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "caption"):
            self.cells[-1] += data


def test_a_net_is_a_table():
    net = MLP([784, 30, 10], activation="tanh", seed=0)
    text = net._repr_html_()
    cells = Page(text).cells
    assert cells[0] == "MLP 784-30-10: loss cross_entropy, float32, 23,860 parameters"
    assert cells[1:6] == ["layer", "activation", "weights", "biases", "parameters"]
    assert cells[6:] == ["1", "tanh", "(30, 784)", "(30,)", "23,550",
                         "2", "softmax", "(10, 30)", "(10,)", "310"]  # fmt: skip
    assert len(text) < 1000


def test_a_history_is_a_table_with_curves():
    X, y = blobs()
    history = MLP([4, 5, 3], seed=0).fit(X, y, epochs=5, validation_data=(X, y))
    page = Page(history._repr_html_())
    assert page.cells[0] == "History of 5 epochs"
    assert page.cells[5::4] == list(history)
    assert page.cells[6::4] == [f"{values[0]:.4g}" for values in history.values()]
    assert page.cells[7::4] == [f"{values[-1]:.4g}" for values in history.values()]
    assert page.tags.count("polyline") == len(history)


@pytest.mark.parametrize("lists", [{}, {"loss": []}, {"loss": [math.nan, 1.0]}, {"loss": [2.0]}])
def test_short_histories_have_no_curves(lists):
    assert "svg" not in Page(History(lists)._repr_html_()).tags


@pytest.mark.parametrize("name", ["<script>alert(1)</script>&", "<svg onload='alert(1)'></svg>"])
def test_names_are_escaped(name):
    """A history's may come from a file: that of a checkpoint."""
    page = Page(History({name: [1.0, 2.0]})._repr_html_())
    assert name in page.cells
    assert "script" not in page.tags
    assert page.tags.count("svg") == 1


def test_a_curve_stays_within_its_frame_and_small():
    for values in ([1.0, 3.0, math.inf, 2.0], [5.0, 5.0], [-1e300, 1e300 / 2], list(range(9999))):
        text = sparkline(values)
        points = re.search(r'points="(.*?)"', text).group(1).split()
        assert 2 <= len(points) <= MOST_POINTS
        for point in points:
            x, y = map(float, point.split(","))
            assert 0 <= x <= 120
            assert 0 <= y <= 24
    assert re.search(r'points="2.0,22.0 60.0,2.0 118.0,12.0"', sparkline([1.0, 3.0, 2.0]))


def test_the_time_left_is_that_of_the_whole_training(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    progress = Progress(True, epochs=4, examples=100)
    for epoch in (1, 2):
        progress.begin(epoch)
        for call in range(10):
            now += 30 if epoch == 1 and call == 0 else 1  # compiles
            progress.advance(10)
        now += 5  # validation
        progress.show({"loss": 1.0})
    # 19 calls and two validations took 29 s for 190 examples: 30.5 s for the other 200.
    last = capsys.readouterr().err.split("\r")[-1]
    progress.close()
    assert "epoch 2/4:  50%" in last
    assert "00:29<00:30" in last


def test_without_a_stderr_there_is_no_bar(monkeypatch):
    """As under pythonw, which tqdm does not expect."""
    monkeypatch.setattr("sys.stderr", None)
    X, y = blobs()
    assert MLP([4, 5, 3], seed=0).fit(X, y, epochs=1, progress=True).epochs == 1


def test_the_log_has_a_line_an_epoch(caplog):
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    with caplog.at_level(logging.DEBUG, "fastbp"):
        history = net.fit(X, y, epochs=2, validation_data=(X, y))
        net.fit(X, y, epochs=1, optimizer="lbfgs")
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    first, second, full_batch = (line for line in lines if line.startswith("epoch"))
    assert first.startswith(f"epoch 1/2: loss {history.loss[0]:.4g}, accuracy ")
    assert second.endswith(f"val_accuracy {history.val_accuracy[1]:.4g}")
    assert full_batch.startswith("epoch 1/1: loss ")


def test_a_program_sees_nothing_of_a_fit_unless_it_asks():
    code = """
import numpy as np
from fastbp import MLP
X, y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 3
net = MLP([4, 5, 3], seed=0)
net.fit(X, y, epochs=2, validation_data=(X, y))
net.partial_fit(X, y)
net.fit(X, y, epochs=2, optimizer="lbfgs")
net.predict(X), net.evaluate(X, y), net.summary(), repr(net)
"""
    # The second time nothing is left to compile, of which there would be a word.
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    assert (run.stdout, run.stderr) == ("", "")


# Where print is what a program of the book or of scikit-learn does.
PRINTS = {"nndl/network.py", "nndl/network2.py", "scripts.py",
          "sklearn/stochastic.py", "sklearn/optimizer.py", "sklearn/validation_set.py"}  # fmt: skip


def test_the_library_logs_under_one_name_and_does_not_print():
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        prints = any(isinstance(it.func, ast.Name) and it.func.id == "print" for it in calls)
        name = path.relative_to(PACKAGE).as_posix()
        assert prints == (name in PRINTS), name
        assert set(re.findall(r"getLogger\((.*?)\)", text)) <= {'"fastbp"'}, name


class Tee:
    """All that a program needs that copies stderr to a log."""

    def write(self, text):
        pass


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_stderr_of_ones_own_is_no_terminal(is_closed, monkeypatch):
    stream = io.StringIO() if is_closed else Tee()
    if is_closed:
        stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    X, y = blobs()
    assert MLP([X.shape[1], 3]).fit(X, y, epochs=1).epochs == 1
