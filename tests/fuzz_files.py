"""Loaders against damaged files, in a process of its own: python tests/fuzz_files.py --help.

Each damaged file must be read, or refused by a ValueError or OSError that names it, with little
memory, in little time, and without running code. A format is one entry of FORMATS. Damage that
takes a loader to lines or branches where it has not been is kept, and damaged again.
"""

import argparse
import codecs
import json
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mnist_files
import numpy as np
from mnist_files import book_pickle, python2_book_pickle, SMALL
from mutations import blindly, inside_gzip, inside_zip, json_text, pick, safetensors_header

import fastbp
from fastbp import Checkpoint, EarlyStopping, LBFGS, MLP
from fastbp.checkpoint import Snapshot
from fastbp.datasets import load_mnist
from fastbp.nndl import network2

MOST_MEMORY = 256 * 2**20  # beyond what the process had; a promise of more must not be believed
MOST_SECONDS = 10.0  # of the processor, for one file
LONGEST_MESSAGE = 1000
# What no file may make a loader do, by the names of Python's audit events.
FORBIDDEN = ("exec", "compile", "import", "pickle.find_class", "os.", "subprocess.", "socket.")
FORBIDDEN += ("ctypes.", "marshal.", "shutil.", "code.__new__", "function.__new__")


class Format(NamedTuple):
    """A kind of file, and what is done to it."""

    write: Callable[[Path], Path]  # a sound file into a folder; returns the one to damage
    load: Callable[[Path], object]
    check: Callable[[object], object]  # raises where what was loaded is not sound
    damage: list[Callable]  # beside the blind kinds
    names: Callable[[Path], Path] = lambda path: path  # what an error has to name


def check_net(net):
    assert net.parameters.shape == (net.n_parameters,)
    assert np.isfinite(net.parameters).all()
    net.evaluate(np.zeros((1, net.sizes[0])), np.full((1, net.sizes[-1]), 1 / net.sizes[-1]))


def check_mnist(data):
    assert data.train_images.dtype == np.uint8
    assert data.train_images.shape == (len(data.train_labels), 784)
    assert data.test_images.shape == (len(data.test_labels), 784)
    assert 0 <= data.train_labels.min() <= data.train_labels.max() <= 9


def check_book_net(net):
    assert net.feedforward(np.zeros((net.sizes[0], 1))).shape == (net.sizes[-1], 1)


def written(file_name, content):
    """A writer of these bytes."""

    def write(folder):
        path = folder / file_name
        path.write_bytes(content())
        return path

    return write


def saved(file_name, net):
    """A writer of what a net saves."""

    def write(folder):
        net.save(folder / file_name)
        return folder / file_name

    return write


def checkpoint(folder):
    """A checkpoint of a training with most that one can remember."""
    path = folder / "training.safetensors"
    net, (X, y) = MLP([4, 3, 2], seed=0), trained_on()
    callbacks = [Checkpoint(path), EarlyStopping("loss", patience=5)]
    net.fit(X, y, epochs=2, dropout=0.2, callbacks=callbacks)
    return path


def lbfgs_checkpoint(folder):
    path = folder / "training.safetensors"
    net, (X, y) = MLP([4, 3, 2], seed=0), trained_on()
    net.fit(X, y, epochs=4, optimizer=LBFGS(memory=3), callbacks=[Checkpoint(path)])
    return path


def trained_on():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, 4)), rng.integers(0, 2, 20)


def check_snapshot(snapshot):
    assert snapshot.slots.shape[-1] in (0, snapshot.net.n_parameters)
    assert (snapshot.slots > -np.inf).all()
    assert np.isfinite(snapshot.parameters).all()
    assert len(snapshot.history["loss"]) == snapshot.epoch


def mnist(file_name, content, *damage):
    """A data set in a single file."""
    return Format(written(file_name, content), load_mnist, check_mnist, list(damage))


def idx(name, *damage, packed):
    """A folder of IDX files, one of which is damaged."""

    def write(folder):
        mnist_files.write_idx_folder(folder / "idx", SMALL, packed=packed)
        return next((folder / "idx").glob(name + "*"))

    def load(path):
        return load_mnist(path.parent)

    # Lengths that do not fit each other are the fault of no single file.
    return Format(write, load, check_mnist, list(damage), lambda path: path.parent)


FORMATS = {
    "model": Format(
        saved("net.safetensors", MLP([4, 3, 2], activation=["tanh"], seed=0)),
        MLP.load,
        check_net,
        [safetensors_header] * 6,
    ),
    "checkpoint": Format(
        checkpoint,
        lambda path: Snapshot.read("resume", path),
        check_snapshot,
        [safetensors_header] * 6,
    ),
    "checkpoint of L-BFGS": Format(
        lbfgs_checkpoint,
        lambda path: Snapshot.read("resume", path),
        check_snapshot,
        [safetensors_header] * 6,
    ),
    "book's network": Format(
        saved("net.json", network2.Network([2, 3, 1])),
        network2.load,
        check_book_net,
        [json_text] * 6,
    ),
    "idx images": idx("train-images", packed=False),
    "idx labels": idx("t10k-labels", *[inside_gzip] * 2, packed=True),
    "npz": mnist("mnist.npz", lambda: mnist_files.npz_bytes(SMALL), *[inside_zip] * 4),
    "pickle": mnist("mnist.pkl.gz", lambda: book_pickle(SMALL), *[inside_gzip] * 20),
    "pickle of Python 2": mnist(
        "mnist.pkl.gz", lambda: python2_book_pickle(SMALL), *[inside_gzip] * 20
    ),
}


class Watch:
    """Notes the arcs between lines that the package runs, and what it does that is forbidden."""

    def __init__(self):
        self.package = str(Path(fastbp.__file__).parent)
        self.arcs, self.new, self.on, self.misdeeds = set(), False, False, []
        sys.addaudithook(self.audit)

    def audit(self, event, arguments):
        writes = event == "open" and set(str(arguments[1])) & set("wax+")
        if self.on and (writes or event.startswith(FORBIDDEN)):
            self.misdeeds.append(f"{event} {arguments!r:.200}")

    def trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self.package):
            return None
        code, before = frame.f_code, 0

        def line(frame, event, argument):
            nonlocal before
            arc = code, before, frame.f_lineno
            before = frame.f_lineno
            if arc not in self.arcs:
                self.arcs.add(arc)
                self.new = True
            return line

        return line

    def call(self, function, *arguments):
        self.new, self.on = False, True
        sys.settrace(self.trace)
        try:
            return function(*arguments)
        finally:
            sys.settrace(None)
            self.on = False


def fuzz(form, runs, seed, folder, watch):
    """Damage a file so many times; return what happened, or raise AssertionError."""
    generator = np.random.default_rng(seed)
    path = form.write(folder)
    sound = path.read_bytes()
    corpus, memory, slowest, read = [sound], 0, 0.0, 0
    form.check(form.load(path))  # imports what it needs
    watch.arcs.clear()
    watch.call(form.load, path)
    tracemalloc.start()
    for run in range(runs):
        content = pick(generator, [sound, pick(generator, corpus)])
        for _ in range(int(generator.geometric(0.6))):
            damage = pick(generator, [blindly] * 4 + form.damage)
            content = damage(content, generator)
        path.write_bytes(content)  # and there it remains, if this process should crash
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        start = time.process_time()
        result = None
        try:
            result = watch.call(form.load, path)
        except (ValueError, OSError) as error:
            message = str(error)
            assert str(form.names(path)) in message, f"run {run}: the error {message!r}"
            assert len(message) < LONGEST_MESSAGE, f"run {run}: a message of {len(message)}"
        except BaseException as error:
            raise AssertionError(f"run {run}: {type(error).__name__}: {error!s:.500}") from error
        slowest = max(slowest, time.process_time() - start)
        memory = max(memory, tracemalloc.get_traced_memory()[1] - before)
        assert not watch.misdeeds, f"run {run}: {watch.misdeeds}"
        if result is not None:
            read += 1
            try:
                form.check(result)
            except Exception as error:
                raise AssertionError(f"run {run}: what was read is unsound: {error!r}") from error
        if watch.new and len(content) < 4 * len(sound) + 10_000:
            corpus.append(content)
    tracemalloc.stop()
    assert slowest < MOST_SECONDS
    assert memory < MOST_MEMORY
    return {"runs": runs, "read": read, "corpus": len(corpus), "peak_bytes": memory,
            "slowest_seconds": round(slowest, 3)}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", default=list(FORMATS), metavar="FORMAT")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    watch = Watch()
    with tempfile.TemporaryDirectory() as scratch:
        codecs.lookup("raw_unicode_escape")  # Python loads codecs where they are first used
        # Numba's compiler needs memory of its own.
        check_net(MLP([4, 3, 2]))
        MLP([4, 3, 2]).fit(*trained_on(), epochs=1)
        status = Path("/proc/self/status").read_text()
        used = 1024 * int(status.split("VmSize:")[1].split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (used + 2 * MOST_MEMORY,) * 2)
        for name in options.formats:
            folder = Path(scratch, name)
            folder.mkdir()
            try:
                report = fuzz(FORMATS[name], options.runs, options.seed, folder, watch)
            except AssertionError as error:
                sys.exit(f"{name}, seed {options.seed}, {error}")
            print(json.dumps({"format": name, **report}), flush=True)


if __name__ == "__main__":
    main()
