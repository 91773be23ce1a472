"""One driver at a time: a lock that dies with its process, and beats for other machines."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xinpaint.errors import JobError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: the heartbeat alone decides
    fcntl = None

#: Seconds between two beats, and after which a driver on another machine counts as dead.
BEAT, DEAD = 10.0, 120.0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file; refused while a live driver holds it.

    On this machine the operating system frees it the moment its process ends, however it ends.
    The file's modification time is the heartbeat, by which other machines judge.

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
        path.unlink(missing_ok=True)
        os.close(handle)


def _take(path: Path) -> int:
    me = {"host": socket.gethostname(), "pid": os.getpid()}
    while True:
        beaten = path.stat().st_mtime if path.exists() else 0.0
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            _flock(handle, path)
            if not path.exists() or os.fstat(handle).st_ino != path.stat().st_ino:
                os.close(handle)  # its holder let go and removed it between our two looks
                continue
            holder = _told(os.pread(handle, 4096, 0))
            elsewhere = holder is not None and (fcntl is None or holder["host"] != me["host"])
            if elsewhere and time.time() - beaten < DEAD:
                raise _busy(path, holder)
        except JobError:
            os.close(handle)
            raise
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(me).encode(), 0)
        os.utime(path)
        return handle


def _flock(handle: int, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _busy(path, _told(os.pread(handle, 4096, 0))) from error


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
        if path.exists():
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
