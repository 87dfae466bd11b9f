"""Train, be killed, go on, until the end: run by test_kills.py in a process of its own.

    python killed.py FOLDER KILLS SEED OPTIMIZER

A child of this process trains and writes a checkpoint after every epoch. It is killed at a random
moment, and the next one resumes; a training that came to its end is compared with one that nobody
killed, and another begins. It prints how many kills there were, how many left a file half written,
how many trainings came to their end, how many of these with the same bits, and what files are left.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from api_problems import blobs, everything

from fastbp import (
    Adam,
    Checkpoint,
    EarlyStopping,
    LayerErrors,
    LBFGS,
    MLP,
    NewtonCG,
    ReduceOnPlateau,
)

X, Y = blobs(rows=300)
ADAM = Adam(ReduceOnPlateau(0.005, "loss", patience=3, factor=0.8))
TRAININGS = {
    "adam": {"optimizer": ADAM, "epochs": 400, "dropout": 0.2},
    "lbfgs": {"optimizer": LBFGS(0.0, memory=5), "epochs": 150, "l2": 1e-4},
    "newton": {"optimizer": NewtonCG(0.0), "epochs": 50, "l2": 1e-4},
}
TRAINING = TRAININGS[sys.argv[4]]
EPOCHS = TRAINING["epochs"]


def train(path, threads):
    net = MLP([4, 16, 8, 3], seed=0)
    callbacks = [
        EarlyStopping("val_loss", patience=EPOCHS),
        LayerErrors(X[:30], Y[:30]),
        *([] if path is None else [Checkpoint(path)]),
    ]
    history = net.fit(
        X,
        Y,
        validation_data=(X[::3] + 0.1, Y[::3]),
        callbacks=callbacks,
        resume=path,
        threads=threads,
        **TRAINING,
    )
    measured = {name: history[name] for name in history if "second" not in name}
    return everything(net), measured, callbacks[1].lengths


def killed_after(seconds, path, threads):
    """Train in a child; return whether it had to be killed."""
    child = os.fork()
    if child == 0:
        os._exit(train(path, threads) is None)
    deadline, done = time.perf_counter() + seconds, 0
    while not done and time.perf_counter() < deadline:
        time.sleep(max(0, min(0.1, deadline - time.perf_counter())))
        done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def main(folder, kills, seed):
    path = Path(folder, "run.safetensors")
    draw = random.Random(seed)
    start = time.perf_counter()
    whole = train(None, 1)
    train(Path(folder, "timed.safetensors"), 1)  # and all that children need is loaded
    Path(folder, "timed.safetensors").unlink()
    epoch = (time.perf_counter() - start) / EPOCHS
    count = unfinished = ends = same = 0
    while ends == 0 or count < kills:
        longest = 16 * epoch if count < kills else 3600
        if killed_after(draw.uniform(0, longest), path, draw.choice([1, 1, 1, 2])):
            count += 1
            unfinished += any(name != path.name for name in os.listdir(folder))
        else:
            ends += 1
            same += train(path, 1) == whole  # which reads the file, and trains no more
            left = sorted(os.listdir(folder))
            path.unlink()
    found = {"kills": count, "unfinished": unfinished, "ends": ends, "same": same, "left": left}
    print(json.dumps(found))


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
