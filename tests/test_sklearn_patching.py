"""Other people's programs, without an edit."""

import os
import pickle
import subprocess
import sys

import pytest
import sklearn.neural_network

from fastbp.sklearn import MLPClassifier, MLPRegressor, patch_sklearn, unpatch_sklearn


@pytest.fixture
def patched():
    patch_sklearn()
    yield
    unpatch_sklearn()


def test_patching_and_back(patched):
    from sklearn.neural_network import MLPClassifier as named_like_theirs

    assert named_like_theirs is MLPClassifier
    assert sklearn.neural_network.MLPRegressor is MLPRegressor
    patch_sklearn()  # twice is once
    unpatch_sklearn()
    assert sklearn.neural_network.MLPClassifier is MLPClassifier._original
    assert sklearn.neural_network.MLPRegressor is MLPRegressor._original


def test_models_from_before_are_pickled_as_they_are():
    model = sklearn.neural_network.MLPRegressor(random_state=0)
    patch_sklearn()
    try:
        assert type(pickle.loads(pickle.dumps(model))) is type(model) is MLPRegressor._original
    finally:
        unpatch_sklearn()


SCRIPT = """
import sys
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
import beside_it

model = MLPClassifier((4,), solver="lbfgs", max_iter=30, random_state=0)
print(type(model).__module__.split(".")[0], __name__, sys.argv[1:], beside_it.here)
"""


def run(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_a_script_is_run_patched(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "beside_it.py").write_text("here = True")
    done = run("-m", "fastbp.sklearn", script, "--flag", "3")
    assert done.stdout == "fastbp __main__ ['--flag', '3'] True\n"
    assert run(script, "--flag", "3").stdout == done.stdout.replace("fastbp", "sklearn")


def test_a_safe_path_has_no_place_for_the_scripts_folder(tmp_path, monkeypatch):
    """`python -P` leaves sys.path[0] to PYTHONPATH."""
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "script.py"
    script.write_text("import elsewhere; print(elsewhere.here)")
    (tmp_path / "elsewhere.py").write_text("here = True")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{before}".rstrip(os.pathsep))
    for command in ([script], ["-m", "fastbp.sklearn", script]):
        assert run("-P", *command).stdout == "True\n"


def test_mistakes_on_the_command_line(tmp_path):
    for arguments, said in (
        ([], "no script given"),
        ([tmp_path / "absent.py"], "there is no file"),
    ):
        done = run("-m", "fastbp.sklearn", *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert said in done.stderr
        assert "usage: python -m fastbp.sklearn" in done.stderr
    asked = run("-m", "fastbp.sklearn", "--help")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "usage: python -m fastbp.sklearn" in asked.stdout
