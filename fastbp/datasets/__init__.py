"""MNIST: from a user's file, the cache, the internet or the sample inside the package."""

from fastbp.datasets.mnist import load_mnist, load_mnist_sample, SOURCES
from fastbp.datasets.splits import MNIST

__all__ = ["MNIST", "SOURCES", "load_mnist", "load_mnist_sample"]
