"""One driver at a time: a lock that dies with its process, and beats for other machines."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file; refused while a live driver holds it.

    On this machine the operating system frees it the moment its process ends, however it ends.
    The file's modification time is the heartbeat, by which other machines judge, and all where
    the file system has no locks.

    Raises
    ------
    JobError
        Names who holds it.
    """
    handle = _take(path)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    try:
        beat.start()
        yield
    finally:
        stop.set()
        beat.join()
        with suppress(OSError):  # what is left frees itself as if we had been killed
            if _told(path.read_bytes()) == _me():  # else another machine took it over
                path.unlink()
        os.close(handle)


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _take(path: Path) -> int:
    while True:
        before = _stat(path)
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            sure, now = _flock(handle, path), _stat(path)
            if now is None or os.fstat(handle).st_ino != now.st_ino:
                os.close(handle)  # its holder let go and removed it between our two looks
                continue
            holder, beaten = _told(os.pread(handle, 4096, 0)), before.st_mtime if before else 0.0
            elsewhere = holder is not None and not (sure and holder["host"] == _me()["host"])
            if elsewhere and time.time() - beaten < DEAD:
                raise _busy(path, holder)
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(_me()).encode(), 0)
            os.utime(path)
        except BaseException:
            os.close(handle)
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
