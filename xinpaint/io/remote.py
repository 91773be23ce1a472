"""A file behind a URL, read by ranges."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import requests

from xinpaint.errors import RefusedError
from xinpaint.io.guard import Guard
from xinpaint.io.http import StatusError, busy, thread_session

#: Bytes of a file's first request: the header and the tables of most COGs.
HEAD = 32 * 1024
#: Most bytes read ahead of what was asked for, once reading turns out to be sequential.
AHEAD = 1024 * 1024
#: Ranges so near each other are one request, in bytes.
NEAR = 16 * 1024
#: What the longest answer to one request may hold, in bytes.
LONGEST = 512 * 2**20


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
        self.head, self.size = HEADS.get(key, self._first)

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
        with self._session.ask(self._url, start, count, timeout=self._timeout) as answer:
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
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Place of the next byte."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes; fewer where `failure` says why."""
        count = self.size - self._at if size < 0 else size
        try:
            data = self._read(self._at, min(count, max(self.size - self._at, 0)))
        except Exception as error:  # GDAL would hide it
            self.failure = error
            return b""
        if len(data) < count and self._at >= self.size:
            self.failure = StatusError("truncated")
        self._at += len(data)
        return data

    def get_byte_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Read several ranges, neighbours in one request; nothing where `failure` says why."""
        runs: list[list[int]] = []
        for start, size in sorted(zip(offsets, sizes, strict=True)):
            if not runs or start - runs[-1][1] > NEAR:
                runs.append([start, start + size])
            runs[-1][1] = max(runs[-1][1], start + size)
        try:
            if runs and runs[-1][1] > self.size:
                raise StatusError("truncated")
            found = {start: self._read(start, stop - start) for start, stop in runs}
        except Exception as error:  # GDAL would hide it
            self.failure = error
            return [b""] * len(sizes)
        made = []
        for start, size in zip(offsets, sizes, strict=True):
            first = max(run for run in found if run <= start)
            made.append(found[first][start - first : start - first + size])
        return made

    def _read(self, start: int, count: int) -> bytes:
        if start + count <= len(self.head):
            return self.head[start : start + count]
        at = start - self._start
        if at >= 0 and at + count <= len(self._buffer):
            return self._buffer[at : at + count]
        end = self._start + len(self._buffer)
        follows = bool(self._buffer) and abs(start - end) <= NEAR
        self._ahead = min(max(2 * self._ahead, 64 * 1024), AHEAD) if follows else 0
        if count > self.size:
            raise RefusedError(f"the file asks for {count:,} bytes of itself and has {self.size:,}")
        wanted = min(count + self._ahead, self.size - start)
        self._buffer, _ = self._fetch(start, wanted)
        self._start = start
        return self._buffer[:count]


class File:
    """One remote file, with a reader for each time that it is opened.

    Parameters
    ----------
    make : callable
        Opens the file anew; raises what went wrong.
    """

    def __init__(self, make: Callable[[], Remote]) -> None:
        self._make, self._made = make, [make()]
        self.head, self.size = self._made[0].head, self._made[0].size

    @property
    def failure(self) -> Exception | None:
        """What went wrong first, in any of its readers."""
        return next((made.failure for made in self._made if made.failure), None)

    def open(self) -> Remote:
        """Make a reader."""
        self._made.append(self._make())
        return self._made[-1]


def _body(answer: requests.Response, most: int) -> bytes:
    """Read at most so many bytes of an answer."""
    parts, total = [], 0
    for part in answer.iter_content(256 * 1024):
        parts.append(part)
        total += len(part)
        if total > most:
            raise RefusedError(f"the server sends more than the {most:,} bytes asked for")
    return b"".join(parts)
