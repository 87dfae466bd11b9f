"""The benchmarks' own promises: all peers do the same work; the README's table is what asv has.

That every benchmark runs is CI's concern.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SUITE = Path(__file__).parents[1] / "asv_benchmarks"
MARKERS = "<!-- speed table: begin -->", "<!-- speed table: end -->"
DROP_IN_MARKERS = "<!-- drop-in table: begin -->", "<!-- drop-in table: end -->"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="not part of a source distribution")

# One full batch: in whatever order its rows come, the parameters after it are the same.
SAME_WORK = """
import numpy as np
from benchmarks.cells import CELLS, GRADIENT_CELL, examples
from benchmarks.peers import PEERS, prepared
for name, cell in {**CELLS, "I": GRADIENT_CELL}.items():
    if name in "EF":  # as C, but larger
        continue
    cell = cell._replace(rows=cell.batch)
    for peer in PEERS:
        try:
            trainer = prepared(peer, cell)
        except NotImplementedError:
            continue
        trainer.restore()
        before = trainer.outputs(examples(cell)[0])
        trainer.epoch()
        after = trainer.outputs(examples(cell)[0])
        print(name, peer, *np.ravel(before)[:20], *np.ravel(after)[:20])
"""


def run_in_suite(code, **environment):
    """What it prints, in a process of its own, as the suite sets variables for the libraries."""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=SUITE, capture_output=True, text=True, check=True,
        env={**os.environ, **environment,
             "PYTHONPATH": os.pathsep.join([str(SUITE.parent), *sys.path])},
    )  # fmt: skip
    return run.stdout


@pytest.fixture(scope="module")
def outputs():
    """By cell and peer: some outputs before, and after one step from the same parameters."""
    found = {}
    for line in run_in_suite(SAME_WORK).splitlines():
        cell, peer, *numbers = line.split()
        found[cell, peer] = np.array(numbers, float)
    return found


def test_every_peer_takes_the_same_step(outputs):
    compared = 0
    for (cell, peer), numbers in outputs.items():
        if peer == "fastbp":
            continue
        ours = outputs[cell, "fastbp"]
        # scikit-learn has no quadratic cost for classes (A, H), and its optimizer is a step ahead,
        # the one that made the weights: the same work, but another step, where more than the
        # gradient counts. Then only its outputs before the step are ours.
        if peer == "scikit-learn" and cell not in "BI":
            numbers, ours = numbers[: len(ours) // 2], ours[: len(ours) // 2]
        # float32, Adam: a gradient near 0 makes a step of the rate to either side.
        np.testing.assert_allclose(numbers, ours, rtol=2e-3, atol=2e-4, err_msg=f"{cell} {peer}")
        compared += 1
    assert compared >= 7  # NumPy at least


SAME_FIT = """
import numpy as np
from benchmarks.drop_in import CELLS, Fit
for cell in CELLS:
    coefs = []
    for peer in ("fastbp", "scikit-learn"):
        benchmark = Fit()
        benchmark.setup(cell, peer)
        benchmark.time_fit(cell, peer)
        model = benchmark.model
        coefs.append(np.concatenate([coef.ravel() for coef in model.coefs_]))
        assert getattr(model, "n_threads", 1) == 1  # as BLAS has, whatever the cores
    print(coefs[0].dtype, model.n_iter_, np.abs(coefs[0] - coefs[1]).max())
"""
SAME_SEARCH = """
from benchmarks.drop_in import ESTIMATORS, search
for peer in ESTIMATORS:
    found = search(peer)
    print(found.estimator.__class__.__module__, *found.cv_results_["mean_test_score"])
"""


def test_both_estimators_find_the_same_model():
    lines = run_in_suite(SAME_FIT, FASTBP_BENCHMARKS_SMALL="1").splitlines()
    for line, precision in zip(lines, ["float32", "float64", "float64", "float32"], strict=True):
        dtype, _, difference = line.split()
        assert dtype == precision
        assert float(difference) < (1e-12 if dtype == "float64" else 1e-4)


def test_both_searches_find_the_same():
    lines = run_in_suite(SAME_SEARCH, FASTBP_BENCHMARKS_SMALL="1").splitlines()
    ours, theirs = (line.split() for line in lines)
    assert ours.pop(0).startswith("fastbp.")
    assert theirs.pop(0).startswith("sklearn.")
    assert ours == theirs
    assert len(set(ours)) > 1


def result_file(folder, **changes):
    """A file like asv's, with two benchmarks of the table."""
    cells, peers = ["'A'", "'G'"], ["'fastbp'", "'numpy'", "'jax'"]
    epochs = [[0.5, 2.0, float("nan"), 0.01, 0.02, None], [cells, peers], "version",
              1750000000000, 1.0, None, None, [0.25, 1.0, None, 0.01, 0.02, None]]  # fmt: skip
    gradient = [[0.001, 0.004], [["'fastbp'", "'torch'"]], "version", 1750000000000]
    raw = {
        "commit_hash": "0123456789abcdef",
        "params": {"cpu": "A processor", "num_cpu": "2", "os": "An OS", "ram": str(2**34)},
        "result_columns": ["result", "params", "version", "started_at", "duration",
                           "stats_ci_99_a", "stats_ci_99_b", "stats_q_25"],
        "results": {
            "epochs.Epochs.time_epoch": epochs,
            "gradients.ValueAndGrad.time_value_and_grad_10_times": gradient,
        },
    }  # fmt: skip
    path = folder / "results.json"
    path.write_text(json.dumps(raw | changes))
    return path


def write_table(folder, readme, **changes):
    path = folder / "README.md"
    path.write_text(readme)
    command = [sys.executable, SUITE / "table.py", result_file(folder, **changes), "--readme", path]
    run = subprocess.run(command, capture_output=True, text=True)
    return run, path.read_text()


def test_the_table_is_what_asv_measured(tmp_path):
    readme = "before\n{}\nold\n{}\nafter\n".format(*MARKERS)
    run, text = write_table(tmp_path, readme)
    assert run.returncode == 0, run.stderr
    before, table, after = re.split("|".join(MARKERS), text)
    assert (before, after) == ("before\n", "\nafter\n")
    _, _, a, g, i, _, how, _ = table.split("\n", 1)[1].split("\n")
    assert a.startswith("| A | train [784, 30, 10], sigmoid, sigmoid, quadratic; SGD, batch 10 |")
    assert a.endswith("| 200,000/s | 50,000/s numpy | 4.00 |")  # the quartile, not the median
    assert g.endswith("| 998,400/s | 499,200/s numpy | 2.00 |")  # jax failed
    assert i.endswith("| 100.0 us | 400.0 us torch | 4.00 |")
    assert "A processor, 2 cores, 16 GiB, An OS" in how
    assert "commit 01234567, 2025-06-15" in how
    assert "`asv run -E existing " in how
    assert write_table(tmp_path, text)[1] == text


def test_the_table_needs_its_markers_and_numbers(tmp_path):
    for readme in ("nothing", MARKERS[0], "{1}{0}".format(*MARKERS)):
        run, text = write_table(tmp_path, readme)
        assert (run.returncode, text) == (1, readme)
        assert "must hold" in run.stderr
    run, _ = write_table(tmp_path, "{}{}".format(*MARKERS), results={})
    assert run.returncode == 1
    assert "no benchmark" in run.stderr


def test_the_table_of_the_drop_in(tmp_path):
    cells, peers = ["'MNIST'", "'digits'"], ["'fastbp'", "'scikit-learn'"]
    results = {
        "drop_in.Fit.time_fit": [[2.0, 5.0, 0.1, None], [cells, peers], "version", 1750000000000],
        "drop_in.Search.time_search": [[1.5, 6.0], [peers], "version", 1750000000000],
    }
    readme = "x{}y{}z".format(*DROP_IN_MARKERS)
    run, text = write_table(tmp_path, readme, results=results)
    assert run.returncode == 0, run.stderr
    table = re.split("|".join(DROP_IN_MARKERS), text)[1].strip().splitlines()
    assert table[2:4] == [
        "| MNIST, 60,000 x 784 float32, 10 epochs | 5 s | 2 s | 2.50 |",
        "| GridSearchCV on digits, n_jobs=2, 12 fits of 50 epochs, the workers running already "
        "| 6 s | 1.5 s | 4.00 |",
    ]
    assert "first 5,000 images" in table[-1]
    assert "--cpu-affinity 1 --bench drop_in.Fit`, `" in table[-1]
    assert "(git rev-parse HEAD) --bench drop_in.Search`, then" in table[-1]
    assert "no row for 'iris, the defaults'" in run.stderr
    assert "GridSearchCV" not in run.stderr

    del results["drop_in.Search.time_search"]
    run, text = write_table(tmp_path, readme, results=results)
    assert "GridSearchCV" not in text  # nor that it was measured
    assert "drop_in.Search" not in text
    assert "no row for 'GridSearchCV" in run.stderr


@pytest.mark.parametrize("markers", [MARKERS, DROP_IN_MARKERS])
def test_the_readme_has_a_place_for_the_tables(markers):
    readme = (SUITE.parent / "README.md").read_text()
    assert 0 < readme.find(markers[0]) < readme.find(markers[1])


def test_there_is_data_for_nets_of_any_width():
    code = """
from benchmarks.cells import Cell, MODERN, examples
for n_inputs in (1, 12, 784):
    X, y = examples(Cell((n_inputs, 12, 10), *MODERN, 7, 21))
    print(X.shape, X.dtype, y.shape, (X == 0).mean() > 0.5)
"""
    *others, digits = run_in_suite(code).splitlines()
    assert others == [f"(21, {n}) float32 (21,) False" for n in (1, 12)]
    assert digits == "(21, 784) float32 (21,) True"


SLOW_PHASE = """
from benchmarks import sampling

now, slowness = 0.0, 1.0

class Clock(sampling.SteadyClock):
    def loop(self):
        work(3e-4)
        self.end = now
        return 3e-4 * slowness

def work(seconds):
    global now
    now += seconds * slowness

sampling.time.thread_time = lambda: now
clock = Clock()
for slowness in (1.0, 1.7, 0.6):
    clock()  # a sample of the time before
    start = clock()
    work(3e-3)
    print(clock() - start)
"""


def test_the_clock_of_kernels_goes_slower_where_the_processor_does():
    seconds = [float(line) for line in run_in_suite(SLOW_PHASE).splitlines()]
    np.testing.assert_allclose(seconds, 10 * 2e-4)  # ten loops, each time


STILL_CLOCK = """
from benchmarks import measure, sampling

walls, owns = iter([0, 2e-4, 1, 1.5]), iter([0, 0, 2, 2.2])
measure.time.perf_counter = lambda: next(walls)
measure.time.thread_time = lambda: next(owns)
print(measure.seconds_of(int), measure.seconds_of(int))
sampling.time.thread_time = lambda: 7.0
print(sampling.SteadyClock()())
"""


def test_the_clock_of_a_thread_may_stand_still():
    assert run_in_suite(STILL_CLOCK).split() == ["0.0002", str(2.2 - 2), "0.0"]
