"""HTTP under a guard: every hop is checked."""

from __future__ import annotations

import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Retry

from xinpaint.errors import RefusedError
from xinpaint.io.guard import Guard


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


class Session(requests.Session):
    """Asks for ranges, only where the guard allows, hop by hop.

    What a request to an address needs besides the range (headers, proxy, certificates) is worked
    out once.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._known: dict[str, tuple[requests.PreparedRequest, Any]] = {}
        guarded(self, guard)

    def ask(self, url: str, start: int, count: int, *, timeout: float) -> requests.Response:
        """Ask for so many bytes from a place on; the answer's body is not read yet."""
        if url not in self._known:
            if len(self._known) >= 256:
                self._known.clear()
            plain = requests.Request("GET", url, headers={"Accept-Encoding": "identity"})
            settings = self.merge_environment_settings(url, {}, True, None, None)
            self._known[url] = self.prepare_request(plain), settings
        known, settings = self._known[url]
        request = known.copy()
        request.headers["Range"] = f"bytes={start}-{start + count - 1}"
        return self.send(request, timeout=timeout, **settings)


def guarded(session: requests.Session, guard: Guard, *, retries: int = 0) -> None:
    """Put a session under a guard; with retries for busy servers."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(guard, retries))
    session.max_redirects = 5


_LOCAL = threading.local()


def thread_session(guard: Guard) -> Session:
    """One session a thread and guard: its connections stay open from block to block."""
    kept: dict[Guard, Session] = _LOCAL.__dict__.setdefault("sessions", {})
    if guard not in kept:
        kept[guard] = Session(guard)
    return kept[guard]
