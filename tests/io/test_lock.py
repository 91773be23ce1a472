"""The lock of a store on file systems that are away for a moment, or lock no files."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from xinpaint.errors import JobError
from xinpaint.io import lock

fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the lock of a store is."""
    (tmp_path / "out.zarr/fill_status").mkdir(parents=True)
    return tmp_path / "out.zarr/fill_status/lock"


def refuses(code: int) -> Any:
    """An `fcntl.flock` that does not lock."""

    def flock(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    return flock


def test_it_goes_on_beating_after_an_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.02)
    calls, utime, beaten = [0], os.utime, threading.Event()

    def away_once(*given: Any, **more: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ESTALE, "Stale file handle")
        utime(*given, **more)
        if calls[0] > 2:
            beaten.set()

    monkeypatch.setattr(lock.os, "utime", away_once)
    with lock.locked(place):
        assert beaten.wait(10)
    assert not place.exists()


def test_the_lock_of_one_who_took_over_stays(place: Path) -> None:
    other = json.dumps({"host": "elsewhere", "pid": os.getpid()})
    with lock.locked(place):
        place.write_text(other)
    assert place.read_text() == other


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_where_no_file_can_be_locked_the_beat_decides(
    place: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", refuses(code))
    with lock.locked(place):
        told = f"filled by process {os.getpid()} on"
        with pytest.raises(JobError, match=told), lock.locked(place):
            pass
        long_ago = time.time() - 1000
        os.utime(place, (long_ago, long_ago))
        with lock.locked(place):
            pass
    assert not place.exists()


@pytest.mark.parametrize("code", [errno.EWOULDBLOCK, errno.EACCES])
def test_a_lock_that_is_held_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", refuses(code))
    with pytest.raises(JobError, match="is being filled by another driver"), lock.locked(place):
        pass


def test_another_trouble_is_no_other_driver(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", refuses(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), lock.locked(place):
        pass


@pytest.mark.parametrize("ahead", [-86400, 86400])
def test_a_clock_that_was_ahead_keeps_nobody_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", refuses(errno.ENOLCK))
    place.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    os.utime(place, (time.time() + ahead,) * 2)
    with lock.locked(place):
        pass


@pytest.mark.parametrize("how", ["removed", "begun anew", "taken over"])
def test_a_driver_whose_lock_is_no_longer_its_own_is_told(place: Path, how: str) -> None:
    with lock.locked(place) as held:
        held()
        if how == "taken over":
            place.write_text(json.dumps({"host": "elsewhere", "pid": os.getpid()}))
        else:
            shutil.rmtree(place.parent.parent)
        if how == "begun anew":
            place.parent.mkdir(parents=True)
            place.write_text(json.dumps({"host": "here", "pid": 1}))
        with pytest.raises(JobError, match=r"out\.zarr is no longer this driver's"):
            held()
    assert place.exists() == (how != "removed")


FORKS = """
import os, sys, time
from pathlib import Path
from xinpaint.io.lock import locked
with locked(Path(sys.argv[1])):
    if os.fork():
        os._exit(9)
    print(os.getpid(), flush=True)  # the child has begun: from here on it must hold nothing
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_a_forked_child_does_not_keep_the_lock(place: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        child = int(driver.stdout.readline())
        try:
            driver.wait(30)
            with lock.locked(place):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_holder_that_is_gone_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", refuses(errno.EWOULDBLOCK))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    for pid, told in (
        (gone.pid, "which is gone: one that it began may hold"),
        (os.getpid(), "wait"),
    ):
        place.write_text(json.dumps({"host": socket.gethostname(), "pid": pid}))
        with pytest.raises(JobError, match=told), lock.locked(place):
            pass
