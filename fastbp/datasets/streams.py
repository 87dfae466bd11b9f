"""Reading a file nobody vouches for: gzipped or not, and never more of it than agreed."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 2**20


@contextmanager
def open_maybe_gzip(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip if its first bytes say so.

    Raises
    ------
    ValueError
        If the gzip data turns out to be damaged or cut short, also while it is read.
    """
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if not is_gzip:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, unpacked)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: damaged gzip data ({error}); get the file again") from error


def read_at_most(stream: BinaryIO, limit: int, where: object) -> bytearray:
    """Read all of a stream, which may be no longer than `limit` bytes.

    The memory grows with what has arrived, not with what a header has promised, and the reading
    stops at the first byte too many: a small file that unpacks to terabytes is found out early.

    Raises
    ------
    ValueError
        If there is more.
    """
    content = bytearray()
    while len(content) <= limit:
        chunk = stream.read(min(_CHUNK, limit + 1 - len(content)))
        if not chunk:
            return content
        content += chunk
    raise ValueError(f"{where}: more than the {limit} bytes expected")
