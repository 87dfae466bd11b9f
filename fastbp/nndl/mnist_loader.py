"""The book's mnist_loader.py: MNIST as network and network2 want it.

The images come from `fastbp.datasets.load_mnist`: no data/mnist.pkl.gz has to be there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastbp.datasets import load_mnist
from fastbp.validation import Array

__all__ = ["load_data", "load_data_wrapper", "pixels", "vectorized_result"]

Split = tuple[Array, Array]


def load_data() -> tuple[Split, Split, Split]:
    """Return (training, validation, test), each (images, digits).

    Images are float32 in [0, 1), (n, 784), the pixel divided by 256 as in the book's file; digits
    int64, (n,). n is 50,000, 10,000 and 10,000: the last sixth of the training images is the
    validation set.
    """
    mnist = load_mnist()
    images, labels = mnist.train_images, mnist.train_labels
    n = len(images) * 5 // 6
    test = pixels(mnist.test_images), mnist.test_labels
    return (pixels(images[:n]), labels[:n]), (pixels(images[n:]), labels[n:]), test


def pixels(images: Array) -> Array:
    """uint8 as float32 in [0, 1), as the book has them: divided by 256."""
    return images.astype(np.float32) / np.float32(256)


def load_data_wrapper() -> tuple[list[Any], list[Any], list[Any]]:
    """Return (training_data, validation_data, test_data), each a list of (x, y).

    x is a column (784, 1); y is a column (10, 1) in the training data, and the digit in the others.
    """
    training, validation, test = load_data()
    return (
        list(zip(columns(training[0]), map(vectorized_result, training[1]), strict=True)),
        list(zip(columns(validation[0]), validation[1], strict=True)),
        list(zip(columns(test[0]), test[1], strict=True)),
    )


def columns(images: Array) -> Array:
    """(n, 784) as (n, 784, 1), which iterates over columns."""
    return images[:, :, None]


def vectorized_result(j: Any) -> Array:
    """Return a column (10, 1) with 1.0 at j and zeros elsewhere."""
    e = np.zeros((10, 1))
    e[j] = 1.0
    return e
