"""HTTP under a guard: every hop is checked, and a file is read by ranges."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Retry

from xinpaint.errors import RefusedError
from xinpaint.io.guard import Guard

#: Bytes of a file's first request: the header and the tables of most COGs.
HEAD = 32 * 1024
#: Most bytes read ahead of what was asked for, once reading turns out to be sequential.
AHEAD = 1024 * 1024
#: What the longest answer to one request may hold, in bytes.
LONGEST = 512 * 2**20


class StatusError(Exception):
    """An answer that is not the data: the HTTP status, or a few words."""

    def __init__(self, status: int | str) -> None:
        super().__init__(str(status))
        self.status = status


def busy(error: Exception) -> bool:
    """Whether an error may pass by itself: an overloaded server, a lost connection."""
    if isinstance(error, StatusError):
        return isinstance(error.status, int) and (error.status >= 500 or error.status == 429)
    return isinstance(error, requests.ConnectionError | requests.Timeout)


class _BlockedError(Exception):
    """A refusal on its way through urllib3, which would take an OSError for a lost connection."""


class _Adapter(HTTPAdapter):
    """Checks every request, redirects too, and the address that each connection reached."""

    def __init__(self, guard: Guard, retries: int = 0) -> None:
        self._guard = guard
        again = Retry(
            retries, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None, raise_on_status=False,
        )  # fmt: skip
        super().__init__(pool_maxsize=16, max_retries=again)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._guard)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        self._guard.check_url(str(request.url))
        return super().send(request, *args, **options)


def _pools(guard: Guard) -> dict[str, Any]:
    def checked(kind: Any) -> Any:
        class Connection(kind):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                if not getattr(self, "proxy", None):
                    try:
                        guard.check_peer(self.host, self.port, self.sock.getpeername()[0])
                    except RefusedError as error:
                        self.close()
                        raise _BlockedError(str(error)) from error

        return Connection

    class Pool(HTTPConnectionPool):
        ConnectionCls = checked(HTTPConnection)

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = checked(HTTPSConnection)

    return {"http": Pool, "https": SecurePool}


def session(guard: Guard) -> requests.Session:
    """Make a session that asks only where the guard allows, hop by hop."""
    made = requests.Session()
    guarded(made, guard)
    return made


def guarded(session: requests.Session, guard: Guard, *, retries: int = 0) -> None:
    """Put a session under a guard; with retries for busy servers."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(guard, retries))
    session.max_redirects = 5


_LOCAL = threading.local()


def thread_session(guard: Guard) -> requests.Session:
    """One session a thread and guard: its connections stay open from block to block."""
    kept: dict[Guard, requests.Session] = _LOCAL.__dict__.setdefault("sessions", {})
    if guard not in kept:
        kept[guard] = session(guard)
    return kept[guard]


@lru_cache(maxsize=4096)
def _lock_of(key: str) -> threading.Lock:
    return threading.Lock()


class Heads:
    """First bytes and sizes of files read lately, by address without its query."""

    def __init__(self, most: int = 2048) -> None:
        self._kept: dict[str, tuple[bytes, int]] = {}
        self._most = most

    def get(self, key: str, fetch: Callable[[], tuple[bytes, int]]) -> tuple[bytes, int]:
        """Return what is kept for a file, fetched where it is not."""
        found = self._kept.get(key)
        if found is None:
            with _lock_of(key):
                found = self._kept.get(key) or fetch()
            if len(self._kept) >= self._most:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = found
        return found

    def forget(self, key: str) -> None:
        """Drop a file, so that another try asks anew."""
        self._kept.pop(key, None)


HEADS = Heads()


class Remote(io.RawIOBase):
    """A file behind a URL, read by ranges; what goes wrong stays in `failure`.

    GDAL, which reads through it, turns any exception into a short read, so the caller looks at
    `failure` afterwards.

    Parameters
    ----------
    url : str
        Signed; never shown.
    key : str
        The address without its query: what the file's first bytes are kept under.
    guard : Guard
    timeout : float
        Seconds without a byte.
    retries, wait : int, float
        Further tries of one request while the server is only busy, and seconds before the first
        of them (then doubled).
    """

    def __init__(
        self, url: str, key: str, guard: Guard, *, timeout: float, retries: int, wait: float
    ) -> None:
        self._url, self._timeout, self._retries, self._wait = url, timeout, retries, wait
        self._session = thread_session(guard)
        self._at, self._ahead = 0, 0
        self._start, self._buffer = 0, b""
        self.failure: Exception | None = None
        self.head, self._size = HEADS.get(key, self._first)

    def _first(self) -> tuple[bytes, int]:
        data, size = self._fetch(0, HEAD)
        return data, size

    def _fetch(self, start: int, count: int) -> tuple[bytes, int]:
        """Ask for bytes, again where the server is busy; they and the file's size."""
        for attempt in range(self._retries):
            try:
                return self._ask(start, count)
            except Exception as error:
                if not busy(error):
                    raise
                time.sleep(self._wait * 2**attempt)
        return self._ask(start, count)

    def _ask(self, start: int, count: int) -> tuple[bytes, int]:
        headers = {"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
        with self._session.get(
            self._url, headers=headers, timeout=self._timeout, stream=True
        ) as answer:
            if answer.status_code not in (200, 206):
                raise StatusError(answer.status_code)
            whole = answer.status_code == 200
            if whole and start:
                raise StatusError("no range requests")
            data = _body(answer, LONGEST if whole else count)
            told = answer.headers.get("Content-Range", "").rpartition("/")[2]
            size = int(told) if told.isdigit() else len(data)
        if not whole and len(data) < min(count, size - start):
            raise StatusError("truncated")
        return data, size

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; asks for nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Place of the next byte."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes; fewer where `failure` says why."""
        count = self._size - self._at if size < 0 else size
        try:
            data = self._read(self._at, min(count, max(self._size - self._at, 0)))
        except Exception as error:  # GDAL would hide it
            self.failure = error
            return b""
        if len(data) < count and self._at >= self._size:
            self.failure = StatusError("truncated")
        self._at += len(data)
        return data

    def _read(self, start: int, count: int) -> bytes:
        if start + count <= len(self.head):
            return self.head[start : start + count]
        at = start - self._start
        if at >= 0 and at + count <= len(self._buffer):
            return self._buffer[at : at + count]
        end = self._start + len(self._buffer)
        follows = bool(self._buffer) and abs(start - end) <= 16 * 1024
        self._ahead = min(max(2 * self._ahead, 64 * 1024), AHEAD) if follows else 0
        if count > self._size:
            raise RefusedError(
                f"the file asks for {count:,} bytes of itself and has {self._size:,}"
            )
        wanted = min(count + self._ahead, self._size - start)
        self._buffer, _ = self._fetch(start, wanted)
        self._start = start
        return self._buffer[:count]


def _body(answer: requests.Response, most: int) -> bytes:
    """Read at most so many bytes of an answer."""
    parts, total = [], 0
    for part in answer.iter_content(256 * 1024):
        parts.append(part)
        total += len(part)
        if total > most:
            raise RefusedError(f"the server sends more than the {most:,} bytes asked for")
    return b"".join(parts)
