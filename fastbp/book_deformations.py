"""Simard's and Ciresan's MLPs, which live on images distorted anew in each epoch."""

from __future__ import annotations

import time

import numpy as np

from fastbp.augment import Distortions
from fastbp.book import best, Data, Lab, Outcome, recipe, Run
from fastbp.mlp import MLP
from fastbp.optimizers import Adam
from fastbp.schedules import Cosine
from fastbp.threads import thread_limit

# alpha 34 and sigma 4 are those of Simard and others, section 2. A digit that is also shifted,
# turned and scaled is worth as much again.
ELASTIC = Distortions(shift=1, rotation=10, scale=0.1, elastic=34, smoothness=4)


def distorted(lab: Lab, sizes: list[int], label: str, epochs: int, distort: bool) -> Run:
    """Train a net of rectified linear neurons on all 60,000 images with Adam and a cosine."""
    net = MLP(sizes, seed=lab.seed)
    epochs = lab.epochs(epochs)
    history = net.fit(
        *lab.data("all"),
        epochs=epochs,
        batch_size=100,
        optimizer=Adam(Cosine(1e-3, epochs=epochs)),
        augment=ELASTIC if distort else None,
        validation_data=lab.data("test"),
        progress=False,
        threads=thread_limit(),  # these nets are large enough to gain from every core
    )
    return lab.keep(Run(label, net, history))


def distortion_rate(data: Data) -> float:
    """Return how many images are distorted a second, on as many threads as train."""
    ELASTIC.apply(data.images[:10], threads=thread_limit())  # compiled, if it has to be
    start = time.perf_counter()
    ELASTIC.apply(data.images, threads=thread_limit())
    return len(data.images) / (time.perf_counter() - start)


@recipe(
    "simard",
    "Simard and others 2003: one hidden layer of 800, cross-entropy",
    "1.6 % error, with elastic distortions 0.7 %",
)
def simard(lab: Lab) -> list[Outcome]:
    """Best test error of 20 epochs without distortions, of 80 with them.

    Elastic distortion as theirs, and shifts up to a pixel, turns up to 10 degrees, scaling up to
    10 %; rectified linear neurons, softmax, Adam from 0.001 along a cosine, batches of 100.
    """
    plain = distorted(lab, [784, 800, 10], "without distortions", 20, False)
    elastic = distorted(lab, [784, 800, 10], "with elastic distortions", 80, True)
    rate = max(plain.history.examples_per_second)
    return [
        Outcome("error without distortions", 1.6, 100 - best(plain.history)),
        Outcome("error with elastic distortions", 0.7, 100 - best(elastic.history)),
        Outcome("trained on, undistorted", np.nan, rate, "images/s"),
        Outcome("distorted", np.nan, distortion_rate(lab.data("all")), "images/s"),
    ]


@recipe(
    "ciresan",
    "Ciresan and others 2010: deep MLPs on distorted images, far fewer epochs than theirs",
    "1000-500-10: 0.49 % error; 2500-2000-1500-1000-500-10: 0.35 %",
)
def ciresan(lab: Lab) -> list[Outcome]:
    """Best test error of 40 epochs of the small net, and of 6 of the large one: shortened.

    They trained for hundreds of epochs, the large net for 114 hours on a graphics card. Distortions
    and all else as in `simard`.
    """
    outcomes = []
    for hidden, epochs, source in (
        ([1000, 500], 40, 0.49),
        ([2500, 2000, 1500, 1000, 500], 6, 0.35),
    ):
        label = "-".join(map(str, [*hidden, 10]))
        run = distorted(lab, [784, *hidden, 10], label, epochs, True)
        outcomes.append(Outcome(f"error of {label}", source, 100 - best(run.history)))
    return outcomes
