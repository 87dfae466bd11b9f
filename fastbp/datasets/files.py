"""A user's own file or folder, in any of the forms in which MNIST and its kin are handed round."""

from pathlib import Path

from fastbp.datasets.idx import (
    find_idx_files,
    idx_file_names,
    read_idx_files,
    UBYTE_MAGIC,
)
from fastbp.datasets.npz import read_npz, ZIP_MAGIC
from fastbp.datasets.pickled import read_book_pickle
from fastbp.datasets.splits import Arrays, NAMES
from fastbp.datasets.streams import open_maybe_gzip

# Below the folder given: torchvision keeps its files in MNIST/raw.
_SUBFOLDERS = (".", "raw", "MNIST/raw")
_SINGLE_FILES = ("mnist.npz", "mnist.pkl.gz", "mnist.pkl")


def read_path(path: Path) -> Arrays:
    """Read a file or a folder; its first bytes, not its name, tell the format of a file.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`, or no data set in the folder.
    ValueError
        If the file is damaged or of an unknown format.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"path: there is no file or folder {path}")
    if not path.is_file():  # reading from a pipe or a device might never end
        raise ValueError(f"{path}: expected a regular file or a folder")

    with path.open("rb") as file:
        if file.read(4) == ZIP_MAGIC:
            return read_npz(file, path)
    with open_maybe_gzip(path) as stream:
        start = stream.read(3)
    if start == UBYTE_MAGIC:
        # One IDX file is a quarter of the data; the others stand beside it.
        return _read_folder(path.parent)
    # Protocols 2 and later begin with 0x80, the older ones with the mark of a tuple or a list.
    if start[:1] in (b"\x80", b"(", b"]"):
        return read_book_pickle(path)
    raise ValueError(
        f"{path}: starts with {start.hex() or 'nothing'}; expected IDX files, an npz, or the "
        "book's mnist.pkl.gz"
    )


def _read_folder(folder: Path) -> Arrays:
    incomplete = None
    for subfolder in _SUBFOLDERS:
        files = find_idx_files(folder / subfolder)
        if len(files) == len(NAMES):
            return read_idx_files(files)
        if files and incomplete is None:
            incomplete = [name for name in NAMES if name not in files]
    if incomplete:
        missing = ", ".join(idx_file_names(name)[-1] for name in incomplete)
        raise FileNotFoundError(f"{folder}: IDX files are missing; expected also {missing}")
    for name in _SINGLE_FILES:
        if (folder / name).is_file():
            return read_path(folder / name)
    wanted = ", ".join(idx_file_names(name)[-1] for name in NAMES)
    raise FileNotFoundError(
        f"{folder}: no data set in this folder; expected {wanted} (unpacked or not), "
        f"or one of {', '.join(_SINGLE_FILES)}"
    )
