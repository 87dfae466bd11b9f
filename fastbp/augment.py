"""Data expansion: more images out of those there are, whose labels stay what they were.

The book, chapter 3, "Artificially expanding the training data"; Simard, Steinkraus and Platt 2003.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp.architecture import Architecture
from fastbp.data import require_finite
from fastbp.kernels import augment, layout
from fastbp.threads import checked_threads, run_on_threads
from fastbp.validation import (
    Array,
    array,
    boolean,
    integer,
    message,
    number,
    read_only,
    set_checked,
    shown,
)

__all__ = ["Distortions", "Expansion", "checked_augment", "checked_shape", "expand_shifts"]

MOST_SEED = 2**63 - 1  # the kernels' integers end there
WORK_PER_CALL = 5e7  # what 1000 images of 28 x 28 take, some 30 ms, so that Ctrl-C is heard


@dataclass(frozen=True)
class Distortions:
    """How images are distorted, anew in each epoch: ``net.fit(X, y, augment=Distortions(...))``.

    Each image is drawn its own shift, rotation, scale and displacement field, uniformly within
    these limits. Pixels are interpolated bilinearly, and are 0 outside the image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of an image; a row of X is one image, row by row.
    shift : float
        Pixels, up or down and left or right.
    whole_pixels : bool
        Shift by whole numbers of pixels, so that shifts alone leave every pixel's value as it is.
    rotation : float
        Degrees, either way.
    scale : float
        In [0, 1): height and width are each divided by a factor in 1 - scale .. 1 + scale.
    elastic : float
        alpha of Simard, Steinkraus and Platt 2003: displacements are alpha times noise in (-1, 1)
        smoothed by a Gaussian. They use 34 for images of 29 x 29.
    smoothness : float
        sigma of that Gaussian, in pixels. They use 4.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import Distortions
    >>> image = np.zeros((1, 25), np.float32)
    >>> image[0, 12] = 1
    >>> moved = Distortions(shape=(5, 5), shift=1, whole_pixels=True).apply(image, seed=3)
    >>> moved.reshape(5, 5).astype(int)[1:4]
    array([[0, 0, 0, 0, 0],
           [0, 0, 0, 1, 0],
           [0, 0, 0, 0, 0]])
    """

    shape: tuple[int, int] = (28, 28)
    shift: float = 0.0
    whole_pixels: bool = False
    rotation: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0

    def __post_init__(self) -> None:
        set_checked(
            self,
            shape=checked_shape(self.shape),
            shift=number("shift", self.shift),
            whole_pixels=boolean("whole_pixels", self.whole_pixels),
            rotation=number("rotation", self.rotation),
            scale=number("scale", self.scale, 0, 1, below=True),
            elastic=number("elastic", self.elastic),
            smoothness=number("smoothness", self.smoothness, above=True),
        )

    def apply(
        self, X: npt.ArrayLike, *, seed: int = 0, epoch: int = 0, threads: int | None = None
    ) -> Array:
        """Return the distorted images of one epoch.

        Parameters
        ----------
        X : array-like of float, (n, rows * columns)
        seed, epoch : int
            What the draws depend on, besides an image's row in X.
        threads : int, optional
            The result has the same bits for any number.

        Returns
        -------
        ndarray, (n, rows * columns)
            float64 for float64, else float32.

        Raises
        ------
        ValueError, TypeError
            If X is not made of such images, or holds NaN or infinity.
        """
        images = checked_images(X, self.shape)
        seed, epoch = integer("seed", seed, 0, MOST_SEED), integer("epoch", epoch, 0, MOST_SEED)
        expansion = Expansion(self, images, seed, checked_threads(threads) or 1)
        for _ in expansion.draw(epoch):
            pass
        return expansion.out


class Expansion:
    """The distorted copy of one training set, made anew for every epoch.

    Parameters
    ----------
    distortions : Distortions
    X : ndarray, (n, rows * columns)
        Read-only, C-contiguous, finite.
    seed, threads : int

    Attributes
    ----------
    out : ndarray, of X's shape and dtype
        The images of the last epoch drawn.
    """

    def __init__(self, distortions: Distortions, X: Array, seed: int, threads: int) -> None:
        height, width = distortions.shape
        self.X, self.seed, self.threads = X, seed, threads
        self.distortion = augment.Distortion(
            height,
            width,
            distortions.shift,
            int(distortions.whole_pixels),
            float(np.deg2rad(distortions.rotation)),
            distortions.scale,
            distortions.elastic,
        )
        self.smoothing = tuple(
            read_only(augment.smoothing_matrix(size, distortions.smoothness, X.dtype))
            for size in distortions.shape
        )
        self.scratch: list[Array] = [
            layout.aligned_zeros(augment.scratch_size(height, width), X.dtype)
            for _ in range(threads)
        ]
        self.out: Array = layout.aligned_zeros(X.shape, X.dtype)

    def blocks(self) -> list[range]:
        """Return the images of each call of the kernel."""
        height, width = self.distortion.height, self.distortion.width
        # Smoothing takes most of the time: a product with a square matrix for each axis.
        images = max(1, int(WORK_PER_CALL // (height * width * (height + width + 8))))
        n, at_once = len(self.X), images * self.threads
        return [range(start, min(start + at_once, n)) for start in range(0, n, at_once)]

    def draw(self, epoch: int) -> Iterator[None]:
        """Fill `out` with the images of an epoch; yields now and then, for Ctrl-C to be heard."""
        for block in self.blocks():
            cuts = np.linspace(block.start, block.stop, self.threads + 1).astype(int).tolist()

            def call(thread: int, cuts: list[int] = cuts) -> int:
                augment.distort(
                    self.X,
                    self.distortion,
                    *self.smoothing,
                    self.seed,
                    epoch,
                    cuts[thread],
                    cuts[thread + 1],
                    self.scratch[thread],
                    self.out,
                )
                return 0

            run_on_threads(call, self.threads)
            yield


def expand_shifts(
    X: npt.ArrayLike, y: npt.ArrayLike, shape: tuple[int, int] = (28, 28)
) -> tuple[Array, Array]:
    """Return X and y five times as long: each image, and it moved by one pixel four ways.

    The book's expand_mnist.py (chapter 3): down, up, right, left; what moves in is 0.

    Parameters
    ----------
    X : array-like of float, (n, rows * columns)
    y : array-like, (n, ...)
    shape : (int, int)
        Rows and columns of an image.

    Returns
    -------
    X : ndarray, (5 n, rows * columns)
        All images as they are, then all moved down, and so on.
    y : ndarray, (5 n, ...)

    Raises
    ------
    ValueError, TypeError
        If X is not made of such images, or y has not as many rows.

    Examples
    --------
    >>> from fastbp import expand_shifts
    >>> X, y = expand_shifts([[1.0, 2.0, 3.0, 4.0]], [7], shape=(2, 2))
    >>> X.astype(int).tolist()
    [[1, 2, 3, 4], [0, 0, 1, 2], [3, 4, 0, 0], [0, 1, 0, 3], [2, 0, 4, 0]]
    >>> y.tolist()
    [7, 7, 7, 7, 7]
    """
    shape = checked_shape(shape)
    images, targets = checked_images(X, shape), np.asarray(y)
    if targets.ndim == 0 or len(targets) != len(images):
        raise ValueError(message("y", f"shape {targets.shape}", f"{len(images)} rows, as X has"))
    out = np.empty((5, *images.shape), images.dtype)
    for i, (down, right) in enumerate([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]):
        augment.shift(images, *shape, down, right, out[i])
    return out.reshape(-1, images.shape[1]), np.concatenate([targets] * 5)


def checked_augment(value: object, net: Architecture) -> Distortions | None:
    """Return the argument `augment` of fit, or raise."""
    if value is None:
        return None
    if not isinstance(value, Distortions):
        raise TypeError(message("augment", shown(value), "None or Distortions(...)"))
    rows, columns = value.shape
    if rows * columns != net.n_inputs:
        got = f"images of {rows} x {columns} pixels"
        raise ValueError(message("augment", got, f"as many as the net has inputs, {net.n_inputs}"))
    return value


def checked_shape(shape: Any, name: str = "shape") -> tuple[int, int]:
    """Return (rows, columns) of an image, or raise."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(message(name, shown(shape), "rows and columns of an image, as (28, 28)"))
    return integer(f"{name}[0]", shape[0]), integer(f"{name}[1]", shape[1])


def checked_images(X: object, shape: tuple[int, int]) -> Array:
    """Return X as a read-only matrix of finite float32 or float64, one image a row."""
    images = array("X", X, None)
    wanted = np.float64 if images.dtype.kind == "f" and images.itemsize == 8 else np.float32
    images = array("X", images, wanted)
    pixels = shape[0] * shape[1]
    if images.ndim != 2 or images.shape[1] != pixels or not len(images):
        expected = f"shape (n, {pixels}), an image of {shape[0]} x {shape[1]} pixels a row"
        raise ValueError(message("X", f"shape {images.shape}", expected))
    images = read_only(images)
    require_finite(images)
    return images
