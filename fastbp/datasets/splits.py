"""The four arrays of MNIST, and every check that they are what they claim to be."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PIXELS = 28 * 28
CLASSES = 10

# No array, and no unpacked file, may be larger than this: ten times the training images, and twice
# the book's pickle. Whatever a hostile file claims, it costs no more memory than a few times this.
MAX_BYTES = 512 * 2**20

# sha256 of the classic files' contents, as uint8 arrays.
CANONICAL_SHA256 = {
    "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
NAMES = tuple(CANONICAL_SHA256)

# What the readers of files return: an array by each name of NAMES, not yet checked.
Arrays = Mapping[str, NDArray[Any]]


class MNIST(NamedTuple):
    """Handwritten digits, or data of the same form.

    Attributes
    ----------
    train_images, test_images : ndarray of uint8, shape (n, 784)
        One image a row, its 28 rows of pixels one after the other; 0 is background.
    train_labels, test_labels : ndarray of int64, shape (n,)
        The digit in each image, 0 to 9.
    source : str
        Where they came from: "path", "cache", "mirrors", "pip" or "sample".
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    source: str


def checked_mnist(arrays: Arrays, *, source: str, where: str) -> MNIST:
    """Check shapes, dtypes and ranges of the arrays read from `where`, and convert them.

    Raises
    ------
    ValueError
        If an array is not what MNIST has in its place.
    """
    images = {}
    labels = {}
    for split in ("train", "test"):
        images[split] = _pixels(arrays[f"{split}_images"], f"{where}: {split} images")
        labels[split] = _digits(arrays[f"{split}_labels"], f"{where}: {split} labels")
        if len(images[split]) != len(labels[split]):
            raise ValueError(
                f"{where}: {len(images[split])} {split} images but {len(labels[split])} "
                f"{split} labels; expected one label for each image"
            )
    return MNIST(images["train"], labels["train"], images["test"], labels["test"], source)


def require_canonical(data: MNIST, where: str) -> MNIST:
    """Return `data` if it is the classic MNIST, bit for bit.

    Raises
    ------
    ValueError
        If the sha256 of an array differs.
    """
    for name, expected in CANONICAL_SHA256.items():
        array = np.ascontiguousarray(getattr(data, name), dtype=np.uint8)
        found = hashlib.sha256(array.data).hexdigest()
        if found != expected:
            raise ValueError(
                f"{where}: {name} is not MNIST's (sha256 {found}, expected {expected})"
            )
    return data


def _pixels(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    if images.ndim not in (2, 3) or images.shape[1:] not in ((PIXELS,), (28, 28)):
        raise ValueError(f"{what} have shape {images.shape}; expected (n, {PIXELS}) or (n, 28, 28)")
    if len(images) == 0:
        raise ValueError(f"{what} are empty; expected at least one")
    images = images.reshape(len(images), PIXELS)
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype.kind != "f":
        raise ValueError(f"{what} have dtype {images.dtype}; expected uint8, or floats in [0, 1]")
    return _pixels_of_floats(images, what)


def _pixels_of_floats(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    # Written so that NaN fails too.
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"{what} have values outside [0, 1]; expected uint8, or floats in [0, 1]")
    # The book divided pixels by 256; most later software by 255. Only one of them gives integers.
    for scale in (256, 255):
        scaled = images * np.float32(scale)
        rounded = np.rint(scaled)
        scaled -= rounded
        if np.abs(scaled, out=scaled).max() < 1e-3 and rounded.max() <= 255:
            return rounded.astype(np.uint8, order="C")
    raise ValueError(f"{what} are floats, but neither pixel/256 nor pixel/255; expected uint8")


def _digits(labels: NDArray[Any], what: str) -> NDArray[np.int64]:
    if labels.ndim != 1:
        raise ValueError(f"{what} have shape {labels.shape}; expected (n,)")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{what} have dtype {labels.dtype}; expected integers")
    if labels.size and not (labels.min() >= 0 and labels.max() < CLASSES):
        raise ValueError(
            f"{what} go from {labels.min()} to {labels.max()}; expected 0 to {CLASSES - 1}"
        )
    return labels.astype(np.int64)
