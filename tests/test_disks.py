"""Disks that are full, folders that cannot be written to: what was there stays, and is told."""

import errno
import os
import resource
import signal
import tempfile
from contextlib import contextmanager

import numpy as np
import pytest
from api_problems import blobs, everything

from fastbp import Checkpoint, MLP, serialization
from fastbp.interrupts import Interrupts
from fastbp.plotting import plot_history

X, Y = blobs()


def net_for_blobs(seed=0):
    return MLP([4, 6, 3], seed=seed)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def failing(number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return fail


@contextmanager
def largest_file(size):
    """Let this process write no file beyond so many bytes: the disk fills up in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def patched(owner, name, number):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, failing(number))
        yield


# Where an OSError may come from, and its number.
FAULTS = {
    "the file grows too large": lambda: largest_file(500),
    "full as it is put on the disk": lambda: patched(os, "fsync", errno.ENOSPC),
    "full as the file is made": lambda: patched(tempfile, "mkdtemp", errno.ENOSPC),
    "read-only": lambda: patched(os, "mkdir", errno.EROFS),
    "no permission": lambda: patched(os, "mkdir", errno.EACCES),
    "the name cannot be taken": lambda: patched(os, "replace", errno.EPERM),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_net_that_cannot_be_saved_leaves_the_old_file(path, fault):
    net_for_blobs().save(path)
    before, net = path.read_bytes(), net_for_blobs(seed=1)
    with FAULTS[fault](), pytest.raises(OSError, match=r"\] .*: '.*run\.safetensors'$"):
        net.save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    net.save(path)
    assert (MLP.load(path).parameters == net.parameters).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_checkpoint_that_cannot_be_written_is_a_warning(path, fault):
    """Training goes on; the earlier checkpoint stays, and the next one that can be is written."""
    contents, context = {}, None

    def break_and_mend(net, logs):
        nonlocal context
        contents[logs["epoch"]] = path.exists() and path.read_bytes()
        if logs["epoch"] == 3:
            context = FAULTS[fault]()
            context.__enter__()
        if logs["epoch"] == 5:
            context.__exit__(None, None, None)

    net, whole = net_for_blobs(), net_for_blobs()
    with pytest.warns(UserWarning, match=r"after epoch \d, .*goes on: .*run\.safet") as warned:
        history = net.fit(X, Y, epochs=6, callbacks=[break_and_mend, Checkpoint(path)])
    assert [int(str(w.message).split("epoch ")[1][0]) for w in warned] == [3, 4]
    assert contents[4] == contents[5] == contents[3]  # of epoch 2
    assert contents[6] not in (False, contents[5])
    whole.fit(X, Y, epochs=6)
    assert everything(net) == everything(whole)
    assert os.listdir(path.parent) == [path.name]
    assert net_for_blobs().fit(X, Y, epochs=6, resume=path).loss == history.loss


def test_where_nothing_can_be_written_training_does_not_begin(path):
    net = net_for_blobs()
    before = everything(net)
    for fault in ("read-only", "no permission"):
        with FAULTS[fault](), pytest.raises(OSError, match=r"run\.safetensors"):
            net.fit(X, Y, callbacks=[Checkpoint(path)])
    (path.parent / "file").touch()
    with pytest.raises(OSError, match="run"):
        net.fit(X, Y, callbacks=[Checkpoint(path.parent / "file" / "run")])
    assert everything(net) == before


def test_the_folder_is_put_on_the_disk_after_the_name(path, monkeypatch):
    """Or the name might be lost with the power; some file systems cannot do so."""
    calls = []
    replace, sync = os.replace, os.fsync

    def fsync(descriptor):
        calls.append("folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "file")
        if calls[-1] == "folder" and calls.count("folder") == 2:
            raise OSError(errno.EINVAL, "not here")
        sync(descriptor)

    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("name"), replace(*names)))
    monkeypatch.setattr(os, "fsync", fsync)
    for _ in range(2):
        net_for_blobs().save(path)
    assert calls == ["file", "name", "folder"] * 2


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    """Large files are written in pieces, between which Ctrl-C is heard."""
    monkeypatch.setattr(serialization, "PIECE", 100)
    checks = []

    def check_and_press(interrupts):
        checks.append(len(os.listdir(path.parent)))
        if checks[-1] == 2 and checks.count(2) == 5:  # the file, and the folder of the new one
            signal.raise_signal(signal.SIGINT)
        check(interrupts)

    def keep(net, logs):
        saved.append(path.exists() and path.read_bytes())
        if logs["epoch"] == 3:
            monkeypatch.setattr(Interrupts, "check", check_and_press)

    saved, check = [], Interrupts.check
    with pytest.warns(UserWarning, match="interrupted in epoch 4"):
        history = net_for_blobs().fit(X, Y, epochs=9, callbacks=[keep, Checkpoint(path)])
    assert history.epochs == 3
    assert checks.count(2) == 5
    assert path.read_bytes() == saved[-1]  # of epoch 2
    assert os.listdir(path.parent) == [path.name]
    assert net_for_blobs().fit(X, Y, epochs=3, resume=path).loss == history.loss


def test_what_a_killed_process_left_is_removed_and_nothing_else(path):
    folder = path.parent
    left = folder / f".{path.name}-abcd_123"
    left.mkdir()
    (left / path.name).write_bytes(b"half")
    others = [folder / f".{path.name}-notes", folder / f".other-{path.name}-abcd_123"]
    for other in others:
        other.mkdir()
    net_for_blobs().fit(X, Y, callbacks=[Checkpoint(path)])
    assert sorted(folder.iterdir()) == sorted([path, *others])


def test_a_picture_that_cannot_be_written_is_an_error_and_the_history_stays(tmp_path):
    history = net_for_blobs().fit(X, Y, epochs=2)
    with pytest.raises(OSError, match="lost"):
        history.plot(tmp_path / "lost" / "curves.png")
    with largest_file(500), pytest.raises(OSError, match=r"too large|File"):
        plot_history(history.to_dict(), tmp_path / "curves.png")
    assert history.epochs == 2
    assert np.isfinite(history.loss).all()


def test_a_link_stays_one_and_leads_to_the_new_file(path):
    path.parent.joinpath("elsewhere").mkdir()
    target = path.parent / "elsewhere" / "net"
    path.symlink_to(target)
    for seed in (0, 1):  # the first time there is nothing yet
        net_for_blobs(seed).save(path)
        assert path.is_symlink()
        assert not target.is_symlink()
        assert everything(MLP.load(path))[0] == everything(net_for_blobs(seed))[0]
    net_for_blobs().fit(X, Y, epochs=1, callbacks=[Checkpoint(path)])
    assert path.is_symlink()
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_or_a_device_is_not_replaced(path):
    os.mkfifo(path)
    for save in (
        lambda: net_for_blobs().save(path),
        lambda: net_for_blobs().fit(X, Y, callbacks=[Checkpoint(path)]),
    ):
        with pytest.raises(OSError, match="is a device or a pipe, expected a file"):
            save()
    assert path.is_fifo()
    assert list(path.parent.iterdir()) == [path]
