"""One driver at a time where no file can be locked: an object says who holds it, and beats."""

from __future__ import annotations

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
from xinpaint.io import lock

#: Seconds after which a lock that was just written must still be ours: another driver may have
#: looked before it was there and written after.
SETTLE = 1.0


@contextmanager
def leased(fs: Any, path: str, name: str, safe: Callable[[Exception], str]) -> Iterator[Any]:
    """Hold a lock object; yields a function that raises JobError once another holds it.

    A holder on this machine that died frees it at once, one elsewhere `lock.DEAD` seconds after
    its last beat, by the clocks of the two machines.

    Parameters
    ----------
    fs : fsspec file system
    path : str
        Of the lock object.
    name : str
        Of the store, for messages.
    safe : callable
        An error's text without secrets.

    Raises
    ------
    JobError
        Names who holds it; or says that nothing can be written there.
    """
    lease = _Lease(fs, path, name)
    try:
        lease.take()
    except JobError:
        raise
    except Exception as error:  # each library raises its own
        raise JobError(
            f"cannot write to {name}: {type(error).__name__}: {safe(error)}; check the address, "
            "and that the keys in storage_options= or the environment may write there"
        ) from None
    stop = threading.Event()
    beat = threading.Thread(target=lease.beat, args=(stop,), daemon=True)
    beat.start()
    try:
        yield lease.check
    finally:
        stop.set()
        beat.join()
        with suppress(Exception):
            if lease.holder() == lease.me:
                fs.rm_file(path)


class _Lease:
    """The lock object as one driver sees it."""

    def __init__(self, fs: Any, path: str, name: str) -> None:
        self.fs, self.path, self.name = fs, path, name
        self.me = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "machine": _machine(),
            "token": uuid.uuid4().hex,
        }

    def take(self) -> None:
        """Write the lock, wait, and look whether it is still ours."""
        there = self.read()
        if there is not None and not _dead(there):
            raise _busy(self.name, there)
        self._write(new=there is None)
        time.sleep(SETTLE)
        self.check()

    def check(self) -> None:
        """Raise JobError where the lock is not ours."""
        there = self.read()
        if there is None or there.get("token") != self.me["token"]:
            raise _busy(self.name, there or {})

    def beat(self, stop: threading.Event) -> None:
        """Say from time to time that we live, unless another has taken over."""
        while not stop.wait(lock.BEAT):
            with suppress(Exception):  # the next beat, or the next check, tells
                if self.holder() == self.me:
                    self._write(new=False)

    def holder(self) -> dict[str, Any]:
        """Who holds it, without the time."""
        return {key: value for key, value in (self.read() or {}).items() if key != "beaten"}

    def read(self) -> dict[str, Any] | None:
        """What the lock object says; None where there is none."""
        self.fs.invalidate_cache()
        try:
            said = json.loads(self.fs.cat_file(self.path))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    def _write(self, *, new: bool) -> None:
        data = json.dumps({**self.me, "beaten": time.time()}).encode()
        if not new:
            self.fs.pipe_file(self.path, data)
            return
        try:
            self.fs.pipe_file(self.path, data, mode="create")
        except FileExistsError:
            raise _busy(self.name, self.read() or {}) from None
        except (TypeError, ValueError, NotImplementedError):  # the store knows no such condition
            self.fs.pipe_file(self.path, data)


def _dead(there: dict[str, Any]) -> bool:
    if there.get("machine") == _machine() and not lock.alive(int(there.get("pid", 0))):
        return True
    return abs(time.time() - float(there.get("beaten", 0.0))) >= lock.DEAD


def _machine() -> str:
    """What tells this machine, since its start, and this container from others."""
    told = []
    with suppress(OSError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        told.append(os.readlink("/proc/self/ns/pid"))
    return " ".join([*told, socket.gethostname(), f"{uuid.getnode():x}"])


def _busy(name: str, holder: dict[str, Any]) -> JobError:
    who = f"process {holder['pid']} on {holder['host']}" if "pid" in holder else "another driver"
    return JobError(
        f"{name} is being filled by {who}; wait for it or stop it. A driver on another machine "
        f"that died frees it after {lock.DEAD:.0f} s"
    )
