"""One driver at a time: a lock that dies with its process, and beats for other machines."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xinpaint.errors import JobError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: the heartbeat alone decides
    fcntl = None

#: What a file system says of a lock that another process holds, and where it has no locks.
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
#: Seconds between two beats, and after which a driver on another machine counts as dead.
BEAT, DEAD = 10.0, 120.0
#: Descriptors of the locks that this process holds.
_OURS: set[int] = set()


@contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock file; yields a function that raises JobError once it is no longer ours.

    On this machine the operating system frees it the moment its process ends, however it ends.
    The file's modification time is the heartbeat, by which other machines judge, and all where
    the file system has no locks. There another driver may take it over, and anywhere somebody may
    remove the store and begin another.

    Raises
    ------
    JobError
        While a live driver holds it; names it.
    """
    me = {"token": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
    handle = _take(path, me)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    try:
        beat.start()
        yield lambda: _check(path, me)
    finally:
        stop.set()
        beat.join()
        if handle in _OURS:  # a child of ours that goes on from here holds nothing
            with suppress(OSError):  # what is left frees itself as if we had been killed
                if _told(path.read_bytes()) == me:  # else another took it over
                    path.unlink()
            _close(handle)


def _check(path: Path, me: dict[str, Any]) -> None:
    """Raise JobError where the lock is gone or another's."""
    try:
        there = _told(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        there = None
    if there != me:
        raise JobError(
            f"{path.parent.parent} is no longer this driver's: it was removed, or another driver "
            "took it over. This one stopped and marks nothing more as done; run the same command "
            "again to go on with what is there"
        )


def _close(handle: int) -> None:
    _OURS.discard(handle)
    os.close(handle)


def _let_go() -> None:
    """In a forked child: else it would hold the lock after its parent was killed."""
    for handle in list(_OURS):
        _close(handle)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def _take(path: Path, me: dict[str, Any]) -> int:
    while True:
        before = _stat(path)
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
        _OURS.add(handle)
        try:
            sure, now = _flock(handle, path), _stat(path)
            if now is None or os.fstat(handle).st_ino != now.st_ino:
                _close(handle)  # its holder let go and removed it between our two looks
                continue
            holder, beaten = _told(os.pread(handle, 4096, 0)), before.st_mtime if before else 0.0
            elsewhere = holder is not None and not (sure and holder["host"] == me["host"])
            if elsewhere and abs(time.time() - beaten) < DEAD:  # a clock may have been ahead
                raise _busy(path, holder)
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(me).encode(), 0)
            os.utime(path)
        except BaseException:
            _close(handle)
            raise
        return handle


def _stat(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return path.stat()
    return None


def _flock(handle: int, path: Path) -> bool:
    """Take the operating system's lock; False where there is none to take."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise _busy(path, _told(os.pread(handle, 4096, 0))) from error
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _told(text: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) and {"host", "pid"} <= set(said) else None


def _busy(path: Path, holder: dict[str, Any] | None) -> JobError:
    who = "another driver" if holder is None else f"process {holder['pid']} on {holder['host']}"
    if holder and holder["host"] == socket.gethostname() and not alive(int(holder["pid"])):
        who += ", which is gone: one that it began may hold the lock still"
    return JobError(
        f"{path.parent.parent} is being filled by {who}; wait for it or stop it. A driver on "
        f"another machine that died frees it after {DEAD:.0f} s"
    )


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        with suppress(OSError):  # of a file system that is away for a moment: the next one tells
            os.utime(path)


def alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
