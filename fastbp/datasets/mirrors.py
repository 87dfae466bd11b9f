"""The classic four files, from the web."""

import logging
import tempfile
import threading
import time
from pathlib import Path

from fastbp.datasets.idx import read_idx_files
from fastbp.datasets.splits import checked_mnist, MNIST, require_canonical

_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FILES_MD5 = {
    "train_images": ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train_labels": ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    "test_images": ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
    "test_labels": ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
}
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 10.0

_log = logging.getLogger("fastbp")


def download_from_mirrors() -> MNIST:
    """Download MNIST from the first mirror that has it.

    Raises
    ------
    OSError
        If no mirror answers, or pooch is not installed.
    ValueError
        If the files are not MNIST.
    """
    try:
        import pooch
    except ImportError:
        raise OSError('pooch is not installed (pip install "fastbp[mnist]")') from None

    downloader = pooch.HTTPDownloader(timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    reasons = []
    for mirror in _answering(_MIRRORS):
        with tempfile.TemporaryDirectory(prefix="fastbp-") as folder:
            try:
                files = {
                    name: Path(
                        pooch.retrieve(
                            mirror + file_name,
                            known_hash=f"md5:{md5}",
                            fname=file_name,
                            path=folder,
                            downloader=downloader,
                        )
                    )
                    for name, (file_name, md5) in _FILES_MD5.items()
                }
                data = checked_mnist(read_idx_files(files), source="mirrors", where=mirror)
                return require_canonical(data, mirror)
            except (OSError, ValueError) as error:  # all of requests' errors are OSErrors
                _log.info("%s failed: %s", mirror, error)
                reasons.append(f"{mirror}: {error}")
    raise OSError("; ".join(reasons) or "no mirror answers")


def _answering(mirrors: tuple[str, ...]) -> list[str]:
    # A timeout of requests does not cover the name look-up, which may hang for half a minute
    # where there is no network. So all mirrors are tried at once, in threads left to themselves.
    answers = {}

    def ask(mirror: str) -> None:
        import requests

        file_name, _ = _FILES_MD5["test_labels"]
        try:
            reply = requests.head(mirror + file_name, timeout=_CONNECT_SECONDS)
            answers[mirror] = reply.ok
        except (OSError, ValueError) as error:
            _log.debug("%s does not answer: %s", mirror, error)

    threads = [threading.Thread(target=ask, args=(mirror,), daemon=True) for mirror in mirrors]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _CONNECT_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [mirror for mirror in mirrors if answers.get(mirror)]
