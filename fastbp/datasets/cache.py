"""The local copy of MNIST: where it is, and how it gets there whole or not at all."""

import logging
import os
import sys
from pathlib import Path

from fastbp.datasets.npz import read_npz, write_npz
from fastbp.datasets.splits import checked_mnist, MNIST, require_canonical
from fastbp.replacing import replacing

_FILE_NAME = "mnist.npz"

_log = logging.getLogger("fastbp")


def default_cache_dir() -> Path | None:
    """Return the folder for downloads: $FASTBP_DATA, or fastbp in the user's cache folder.

    None if the system can't tell where the user's folders are.
    """
    if chosen := os.environ.get("FASTBP_DATA"):
        return Path(chosen)
    try:
        return _user_cache_dir() / "fastbp"
    except RuntimeError:  # no home
        return None


def _user_cache_dir() -> Path:
    if os.path.isabs(chosen := os.environ.get("XDG_CACHE_HOME", "")):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches"
    return Path.home() / ".cache"


def read_cache(folder: Path | None) -> MNIST:
    """Read the cached copy.

    Raises
    ------
    OSError
        If there is none.
    ValueError
        If it isn't MNIST: damaged, or put there by something else.
    """
    if folder is None:
        raise FileNotFoundError("no folder for a cache")
    path = folder / _FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    with path.open("rb") as file:
        arrays = read_npz(file, path)
    return require_canonical(checked_mnist(arrays, source="cache", where=str(path)), str(path))


def write_cache(folder: Path | None, data: MNIST) -> None:
    """Keep a copy for the next time; where that's impossible, go on without.

    It appears under its name only when it is complete, whatever interrupts the writing.
    """
    if folder is None:
        return
    path = folder / _FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            write_npz(file, data)
    except OSError as error:
        _log.warning("MNIST is not cached, and will be downloaded again: %s", error)
    else:
        _log.info("MNIST is cached in %s", path)
