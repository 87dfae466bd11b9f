"""Files that take the place of others whole or not at all, whatever happens meanwhile."""

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["remove_leftovers", "replacing", "require_replaceable"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; at the end of the block it is complete, and takes the name `path`.

    Until it is on the disk the old file keeps its name; then its name moves, at once. An OSError
    names `path`, and leaves the old file as it was. A link stays one: the file that it leads to is
    replaced.
    """
    with errors_name(path):
        file_path = regular(path)
        with unfinished(file_path) as new:
            with open(new, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, file_path)
        sync_folder(file_path.parent)


def require_replaceable(path: Path) -> None:
    """Raise an OSError if nothing can be written there."""
    if path.is_dir():
        raise IsADirectoryError(f"path: {os.fspath(path)!r} is a folder, expected a file")
    with errors_name(path), unfinished(regular(path)):
        pass


def regular(path: Path) -> Path:
    """Return the file that a path leads to through links; raise for a device or a pipe.

    Nothing would be written to those: they would be gone.
    """
    leads_to = Path(os.path.realpath(path))
    if leads_to.exists() and not (leads_to.is_file() or leads_to.is_dir()):
        raise OSError(f"path: {os.fspath(path)!r} is a device or a pipe, expected a file")
    return leads_to


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Give a name beside `path` for a file that is not complete; what is left there is removed."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        # A file in a folder of one's own has the usual permissions, unlike mkstemp's.
        yield Path(folder, path.name)


def remove_leftovers(path: Path) -> None:
    """Remove what a process left beside `path` that was killed while it wrote."""
    random = "[0-9a-z_]" * 8  # as in tempfile
    path = regular(path)
    for folder in path.parent.glob(f".{glob.escape(path.name)}-{random}"):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """Have an OSError name the file that was asked for, not a temporary one, or none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk, where the system can."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # we may write there, but not list it
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)
