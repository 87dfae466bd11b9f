"""The command line: what it prints, its exit status, and one line for every mistake."""

import logging
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import run
from mnist_files import npz_bytes, SMALL

import fastbp
from fastbp import mnist_run
from fastbp.datasets import load_mnist_sample
from fastbp.kernels import jit

SAMPLE = Path(fastbp.__file__).parent / "datasets" / "mnist_sample.npz"
TINY = ["--hidden", "8", "--epochs", "2", "--batch-size", "4"]


@pytest.fixture
def digits(tmp_path):
    """A file of 12 training and 4 test images."""
    path = tmp_path / "digits.npz"
    path.write_bytes(npz_bytes(SMALL))
    return path


def refused(*arguments, says):
    """Run what is a mistake: status 2, and one line that names the command and the matter."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"fastbp {arguments[0]}: ")
    for part in says:
        assert part in lines[0]
    return result


def test_mnist_trains_and_tests():
    result = run("mnist", "--data", SAMPLE, "--hidden", "32", "--epochs", "3")
    assert result.exit_code == 0, result.output
    assert result.stderr == "" or result.stderr.startswith("Compiling")
    out = result.stdout
    assert "4,584 images to train on, 416 held out for validation, 1,000 for the test" in out
    assert "net 784-32-10, 25,450 parameters: relu, dropout 0.1, adam from learning rate" in out
    assert re.findall(r"^ *(\d+)/3 ", out, re.MULTILINE) == ["1", "2", "3"]
    accuracy, mistakes = re.search(
        r"test accuracy ([\d.]+)%: (\d+) mistakes in 1,000", out
    ).groups()
    assert float(accuracy) == pytest.approx(100 - int(mistakes) / 10)
    assert float(accuracy) > 85
    assert re.search(r"examples per second$", out, re.MULTILINE)
    assert re.search(r"^time .* data .* kernels .* training .* test", out, re.MULTILINE)


def test_mnist_says_when_it_compiled_nothing(digits):
    run("mnist", "--data", digits, *TINY)
    assert (
        "kernels: nothing compiled, all loaded in" in run("mnist", "--data", digits, *TINY).stdout
    )


@pytest.mark.parametrize("optimizer", mnist_run.LEARNING_RATES)
def test_mnist_knows_every_optimizer(optimizer, digits):
    result = run("mnist", "--data", digits, *TINY, "--optimizer", optimizer)
    assert result.exit_code == 0, result.output
    assert (
        f"{optimizer} from learning rate {mnist_run.LEARNING_RATES[optimizer]:g}" in result.stdout
    )


def learned(result):
    """Return what does not depend on the clock."""
    assert result.exit_code == 0, result.output
    lines = re.findall(r"^ *\d+/\d+ .*%", result.stdout, re.MULTILINE)
    return [*lines, re.search(r"test accuracy.*", result.stdout).group()]


def test_mnist_repeats_itself_for_any_number_of_threads():
    command = ["mnist", "--data", SAMPLE, "--hidden", "16,8", "--epochs", "1", "--seed", "7"]
    first = learned(run(*command))
    assert learned(run(*command, "--threads", "2")) == first
    assert learned(run(*command[:-1], "8")) != first


def test_mnist_obeys_its_options(digits):
    out = run(
        "mnist", "--data", digits, "--hidden", "6, 5", "--epochs", "1", "--learning-rate", "0.03",
        "--activation", "tanh", "--dropout", "0", "--optimizer", "sgd", "--seed", "3",
        "--batch-size", "2",
    ).stdout  # fmt: skip
    assert "net 784-6-5-10" in out
    assert ": tanh, dropout 0, sgd from learning rate 0.03, batches of 2, seed 3\n" in out


def test_mnist_takes_every_source_but_files_when_there_is_no_path(monkeypatch, tmp_path):
    asked = []

    def load(path):
        asked.append(path)
        return SMALL

    monkeypatch.setattr(mnist_run, "load_mnist", load)
    assert "MNIST (small)" in run("mnist", *TINY).stdout
    assert asked == [None]


def test_a_warning_is_one_line(monkeypatch):
    def load(path):
        import warnings

        warnings.warn("only a sample of MNIST is used", UserWarning, stacklevel=2)
        return load_mnist_sample()

    monkeypatch.setattr(mnist_run, "load_mnist", load)
    result = run("mnist", *TINY)
    assert result.exit_code == 0
    assert "warning: only a sample of MNIST is used" in result.stderr.splitlines()


def test_what_is_logged_is_shown_once_and_logging_is_left_as_it_was(monkeypatch):
    logger = logging.getLogger("fastbp")
    before = logger.level, logger.propagate, list(logger.handlers)

    def load(path):
        logger.info("downloading MNIST")
        return SMALL

    monkeypatch.setattr(mnist_run, "load_mnist", load)
    assert run("mnist", *TINY).stderr.count("downloading MNIST\n") == 1
    assert (logger.level, logger.propagate, logger.handlers) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--epochs", "0"], ["--epochs", "0", "x>=1"]),
        (["--epochs", "ten"], ["--epochs", "'ten'", "integer"]),
        (["--hidden", "256,0"], ["--hidden", "'256,0'", "256,128"]),
        (["--hidden", "256;128"], ["--hidden", "'256;128'", "256,128"]),
        (["--batch-size", "-1"], ["--batch-size", "-1"]),
        (["--optimizer", "adm"], ["--optimizer", "'adm'", "adam"]),
        (["--learning-rate", "0"], ["--learning-rate", "x>0"]),
        (["--learning-rate", "nan"], ["learning_rate", "nan"]),
        (["--dropout", "1"], ["--dropout", "0<=x<1"]),
        (["--seed", "-3"], ["--seed", "-3"]),
        (["--threads", "0"], ["--threads", "0"]),
        (["--data", "nowhere.npz"], ["--data", "nowhere.npz", "does not exist"]),
        (["--plot", "picture.xyz"], ["--plot", "picture.xyz", "png"]),
        (["--plot", "nowhere/picture.png"], ["--plot", "no folder nowhere"]),
        (["--checkpoint", "nowhere/run"], ["--checkpoint", "no folder nowhere"]),
        (["--batchsize", "3"], ["--batchsize", "--batch-size"]),
        (["extra"], ["extra"]),
    ],
)
def test_a_mistake_is_one_line(arguments, says):
    refused("mnist", *arguments, says=says)


def test_a_file_that_is_not_mnist_is_one_line(tmp_path):
    path = tmp_path / "novel.txt"
    path.write_text("It was a dark and stormy night")
    refused("mnist", "--data", path, says=["novel.txt", "expected IDX files"])


def test_a_folder_without_data_is_one_line(tmp_path):
    refused("mnist", "--data", tmp_path, says=[str(tmp_path), "no data set in this folder"])


def test_an_operating_system_error_is_one_line(monkeypatch):
    def load(path):
        raise PermissionError(13, "Permission denied", "mnist.npz")

    monkeypatch.setattr(mnist_run, "load_mnist", load)
    refused("mnist", says=["mnist.npz: Permission denied"])


def test_too_little_memory_is_one_line(monkeypatch):
    def net(*_, **__):
        raise MemoryError("Unable to allocate 14.6 TiB")

    monkeypatch.setattr(mnist_run, "MLP", net)
    refused("mnist", "--hidden", "2000000,2000000", says=["14.6 TiB"])


def test_one_training_image_cannot_be_split(tmp_path):
    path = tmp_path / "one.npz"
    one = SMALL._replace(train_images=SMALL.train_images[:1], train_labels=SMALL.train_labels[:1])
    path.write_bytes(npz_bytes(one))
    refused("mnist", "--data", path, says=["--data", "1 training image"])


def test_divergence_is_one_line(digits):
    command = ["mnist", "--data", digits, "--optimizer", "sgd", "--learning-rate", "1e30"]
    refused(*command, says=["epoch 1", "smaller learning rate"])


def test_a_picture_without_matplotlib_is_refused_before_training(monkeypatch, digits):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = refused(
        "mnist", "--data", digits, "--plot", "x.png", says=['pip install "fastbp[plot]"']
    )
    assert result.stdout == ""


def test_the_picture(digits, tmp_path):
    path = tmp_path / "picture.png"
    result = run("mnist", "--data", digits, *TINY, "--plot", path)
    assert result.exit_code == 0, result.output
    assert path.read_bytes().startswith(b"\x89PNG")
    assert f"picture {path}" in result.stdout


def test_interrupted_while_loading(monkeypatch):
    def load(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist_run, "load_mnist", load)
    result = run("mnist")
    assert result.exit_code == 130
    assert result.stderr.split() == ["fastbp:", "interrupted"]


def test_interrupted_while_training(digits, monkeypatch):
    def say(line):
        if line.startswith("  1/"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("click.echo", lambda line, err=False, **_: err or say(line))
    assert run("mnist", "--data", digits, *TINY).exit_code == 130


def test_what_was_interrupted_goes_on(digits, tmp_path, monkeypatch):
    command = ["mnist", "--data", digits, *TINY[:2], "--batch-size", "4", "--epochs", "3"]
    whole = learned(run(*command))
    command += ["--checkpoint", tmp_path / "run"]

    def say(line):
        if line.startswith("  2/"):
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("click.echo", lambda line, err=False, **_: err or say(line))
        assert run(*command).exit_code == 130
    assert [line.split("/s")[0] for line in learned(run(*command))] == whole[1:]
    assert learned(run(*command)) == whole[-1:]  # all is done
    refused(*command, "--dropout", "0.5", says=["dropout: got [0.5]", "checkpoint"])
    refused(*command, "--seed", "5", says=["--seed: got 5, expected 0", "checkpoint"])


def test_info():
    result = run("info")
    assert result.exit_code == 0
    rows = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert rows["fastbp"] == fastbp.__version__
    assert rows["numpy"] == np.__version__
    assert re.match(r"(128|256|512) bits: \d+ float32 or \d+ float64", rows["vectors"])
    assert {"processor", "threads", "numba", "llvmlite", "Python", "matplotlib"} <= set(rows)


def test_info_counts_what_the_cache_holds(monkeypatch, tmp_path):
    monkeypatch.setattr("fastbp.kernels.jit.cache_folder", lambda: str(tmp_path))
    assert f"cache         {tmp_path}, 0 kernels, 0.0 MB" in run("info").stdout
    for name in ("forward", "train"):
        jit._CacheFiles(tmp_path, name).save("a signature", bytes(10**6))
    (tmp_path / "folder_of_numba").mkdir()
    assert f"cache         {tmp_path}, 2 kernels, 2.0 MB" in run("info").stdout


def test_info_where_nothing_can_be_kept(monkeypatch):
    monkeypatch.setattr("fastbp.info.REQUIRED", ["no-such-package"])
    monkeypatch.setattr("fastbp.kernels.jit.cache_folder", lambda: None)
    out = run("info").stdout
    assert "no-such-package  not installed" in out
    assert re.search(r"cache +none.*FASTBP_CACHE_DIR", out)


def test_version_and_help():
    assert run("--version").stdout == f"fastbp {fastbp.__version__}\n"
    for arguments in ([], ["--help"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert all(command in result.stdout for command in ("mnist", "info", "warmup"))


def test_an_unknown_command_is_one_line():
    result = run("mnst")
    assert result.exit_code == 2
    assert re.fullmatch(r"fastbp: .*'mnst'.*\n", result.stderr)


def test_warmup_leaves_nothing_to_compile():
    # In a process of its own: what other tests have called is not loaded there.
    code = """
import numpy as np
from numba.core.dispatcher import Dispatcher
from click.testing import CliRunner
from fastbp import Adam, Cosine, MLP, SGD, threads
from fastbp.cli import main
from fastbp.book_differentiation import gradient_seconds
from fastbp.kernels import backward, checks, epoch, evaluate, forward, hessian
from fastbp.sklearn import MLPClassifier

def specialisations():
    modules = (backward, checks, epoch, evaluate, forward, hessian)
    things = [thing for module in modules for thing in vars(module).values()]
    return sum(len(thing.signatures) for thing in things if isinstance(thing, Dispatcher))

threads.LEAST_GAIN_ASKED = -np.inf
result = CliRunner().invoke(main, ["warmup"])
assert result.exit_code == 0, result.output
print(result.stdout)
warm = specialisations()
X, y = np.random.default_rng(0).standard_normal((9, 4)), np.arange(9) % 3
for dtype in ("float32", "float64"):
    net = MLP([4, 5, 6, 3], activation=["tanh", "selu"], dtype=dtype, seed=0)
    net.fit(X, y, epochs=2, batch_size=2, optimizer=SGD(Cosine(0.1, 2), momentum=0.5), threads=2,
            l1=0.1, l2=0.1, dropout=0.5, max_norm=1, clip_norm=1, sample_weight=np.ones(9),
            class_weight="balanced", validation_data=(X, np.eye(3)[y]))
    net.partial_fit(X.tolist(), np.eye(3)[y], optimizer=Adam())
    net.parameters = net.parameters.copy()
    net.predict(X[0:1]), net.predict_proba(X[::-1]), net.evaluate(X, y)
    net.value_and_grad(X, y, sample_weight=y + 1.0, l2=0.1), net.layer_errors(X, y)
    net.input_gradient(X, y), net.check_gradient(X, y), gradient_seconds(net, X, y)
    net.hessian_vector_product(X, y, net.parameters)
    MLPClassifier((5, 6), solver="lbfgs", max_iter=2).fit(X.astype(dtype), y)
assert specialisations() == warm, (specialisations(), warm)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for task in ("fit", "evaluate", "forward", "value_and_grad", "input_gradient", "layer_errors"):
        for dtype in ("float32", "float64"):
            assert re.search(rf"^{dtype}  {task}\b.* s$", done.stdout, re.MULTILINE)
    assert re.search(r"^kernels: \d+ compiled in .* s, kept in ", done.stdout, re.MULTILINE)
