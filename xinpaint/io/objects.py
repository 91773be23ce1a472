"""A store in an object store, through fsspec: each object appears whole; no secret in a message."""

from __future__ import annotations

import json
import re
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xinpaint.errors import JobError, XinpaintError
from xinpaint.io.guard import clean
from xinpaint.io.lease import leased
from xinpaint.io.target import STATUS, Held, files, gather

#: Written before the layout of a store and removed after it.
_BEGUN = f"{STATUS}/begun.json"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_SECRET = re.compile("key|secret|token|password|sas|credential|connection", re.IGNORECASE)


def file_system(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises
    ------
    JobError
        Where fsspec knows no such store, or lacks what opens it.
    """
    import fsspec

    with told(url, options):
        fs, root = fsspec.core.url_to_fs(url, **options)
    return fs, str(root)


def zarr_store(url: str, options: Mapping[str, Any], *, write: bool = False) -> Any:
    """What Zarr and xarray open of a URL.

    Raises
    ------
    JobError
        As `file_system`.
    """
    from zarr.storage import FsspecStore

    with told(url, options):
        return FsspecStore.from_url(url, storage_options=dict(options), read_only=not write)


@contextmanager
def told(url: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Raise JobError where the store refuses, without what may be secret."""
    try:
        yield
    except XinpaintError:
        raise
    except Exception as error:  # each library raises its own
        cause = unsaid(f"{type(error).__name__}: {error}", options)
        raise JobError(
            f"{clean(url)} cannot be used ({cause}); its keys belong into storage_options= or the "
            "environment"
        ) from None


def plain_url(url: str) -> str:
    """The URL without a slash at its end.

    Raises
    ------
    JobError
        Where it holds a secret: a URL is written into the store.
    """
    links = url.split("::")  # such as zip::s3://bucket/cube.zip
    if any(clean(link) != link for link in links):
        raise JobError(
            f"{'::'.join(map(clean, links))}: the URL has a user, password or query in it; give "
            "what opens it as storage_options= or in the environment, so that it is written nowhere"
        )
    return url.rstrip("/")


def unsaid(text: str, options: Mapping[str, Any]) -> str:
    """The text without what may be secret: values of options, queries and users in addresses."""
    for secret in sorted(_secrets(options), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _ADDRESS.sub(lambda found: clean(found[0]), text)


def _secrets(options: Any, name: str = "") -> Iterator[str]:
    if isinstance(options, Mapping):
        for key, value in options.items():
            yield from _secrets(value, f"{name} {key}")
    elif isinstance(options, str) and len(options) > 3 and _SECRET.search(name):
        yield options


@dataclass(frozen=True, eq=False)
class Objects:
    """An object store through fsspec: each object appears whole."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    whole = False

    def _at(self, key: str = "") -> tuple[Any, str]:
        fs, root = file_system(self.name, self.options)
        fs.invalidate_cache()
        return fs, f"{root.rstrip('/')}/{key}" if key else root

    def ours(self) -> bool:
        """See `Target`."""
        return self.read(f"{STATUS}/zarr.json") is not None

    def taken(self) -> bool:
        """See `Target`."""
        if self.ours() or self.read(_BEGUN) is not None:
            return False
        fs, root = self._at()
        with told(self.name, self.options):
            try:
                found = fs.ls(root, detail=False)
            except FileNotFoundError:
                return False
        # with nothing but our folder, a driver has the lock or died with it
        return bool({path.rstrip("/").rpartition("/")[2] for path in found} - {STATUS})

    def zarr(self, *, write: bool = False) -> Any:
        """See `Target`."""
        return zarr_store(self.name, self.options, write=write)

    def read(self, key: str) -> bytes | None:
        """See `Target`."""
        fs, path = self._at(key)
        with told(self.name, self.options):
            try:
                found: bytes = fs.cat_file(path)
            except FileNotFoundError:
                return None
        return found

    def write(self, key: str, data: bytes) -> None:
        """See `Target`."""
        fs, path = self._at(key)
        with told(self.name, self.options):
            fs.pipe_file(path, data)

    def room(self) -> Path:
        """A new folder of this machine."""
        return Path(tempfile.mkdtemp(prefix="xinpaint-")) / "laid-out"

    def put(self, made: Path) -> None:
        """Write all of it, and last what makes it the output of a job."""
        self.write(_BEGUN, json.dumps({"host": socket.gethostname()}).encode())
        last = made / STATUS / "zarr.json"
        for file in [*(f for f in files(made) if f != last), last]:
            self.write(file.relative_to(made).as_posix(), file.read_bytes())
        fs, path = self._at(_BEGUN)
        fs.rm_file(path)

    def replace(self, made: Path, name: str) -> None:
        """See `Target`."""
        for file in files(made / name):
            self.write(file.relative_to(made).as_posix(), file.read_bytes())

    def locked(self) -> AbstractContextManager[Held]:
        """See `Target`."""
        fs, path = self._at(f"{STATUS}/lock")
        return leased(fs, path, self.name, lambda error: unsaid(str(error), self.options))

    def free(self) -> int | None:
        """See `Target`."""
        return None

    def gather(self) -> None:
        """See `Target`."""
        gather(self.zarr(write=True))

    def sweep(self, aside: int) -> None:
        """See `Target`."""

    def use_aside(self) -> None:
        """See `Target`."""

    def fork(self) -> bytes:
        """See `Target`."""
        return b""

    def merge(self, fork: Any) -> None:
        """See `Target`."""

    def save(self, message: str) -> None:
        """See `Target`."""
